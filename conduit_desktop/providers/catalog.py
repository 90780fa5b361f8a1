"""Every kind of provider, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from conduit_desktop.core import suggestions
from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import Invalid
from conduit_desktop.providers import ProviderKind
from conduit_desktop.providers.anthropic import Anthropic, AnthropicCompatible
from conduit_desktop.providers.azure import Azure
from conduit_desktop.providers.bedrock import Bedrock
from conduit_desktop.providers.cloudflare import Cloudflare
from conduit_desktop.providers.cohere import Cohere
from conduit_desktop.providers.demo import Demo
from conduit_desktop.providers.elevenlabs import ElevenLabs
from conduit_desktop.providers.gemini import Gemini
from conduit_desktop.providers.local import VLLM, Jan, LlamaCpp, LMStudio, LocalAI, Ollama
from conduit_desktop.providers.mistral import Mistral
from conduit_desktop.providers.model_hosts import (
    Cerebras,
    DeepInfra,
    Fireworks,
    GitHubModels,
    Groq,
    HuggingFace,
    Nvidia,
    OpenRouter,
    SambaNova,
    Together,
)
from conduit_desktop.providers.openai import OpenAI
from conduit_desktop.providers.openai_compatible import AnyOpenAICompatible
from conduit_desktop.providers.replicate import Replicate
from conduit_desktop.providers.sagemaker import SageMaker
from conduit_desktop.providers.two_dialects import DeepSeek, MiniMax, Moonshot, Zai
from conduit_desktop.providers.vendors import XAI, Jina, Perplexity, Qwen, Voyage
from conduit_desktop.providers.vertex import Vertex

_KINDS: tuple[type[ProviderKind], ...] = (
    OpenAI,
    Anthropic,
    Gemini,
    Vertex,
    Azure,
    Ollama,
    LMStudio,
    LlamaCpp,
    VLLM,
    LocalAI,
    Jan,
    OpenRouter,
    DeepSeek,
    Groq,
    Mistral,
    Bedrock,
    SageMaker,
    Cohere,
    Together,
    Fireworks,
    XAI,
    Cerebras,
    SambaNova,
    DeepInfra,
    Perplexity,
    Nvidia,
    Moonshot,
    Zai,
    Qwen,
    GitHubModels,
    HuggingFace,
    MiniMax,
    Cloudflare,
    Replicate,
    Voyage,
    Jina,
    ElevenLabs,
    AnyOpenAICompatible,
    AnthropicCompatible,
    Demo,
)

CATALOG: Mapping[str, type[ProviderKind]] = MappingProxyType({kind.kind: kind for kind in _KINDS})
"""Kind name to kind, in the order of the list in the window."""


def kind_of(name: str) -> type[ProviderKind]:
    """The kind of that name; raises Invalid (field `kind`) for an unknown one."""
    if name not in CATALOG:
        meant = suggestions.likely(name, CATALOG)
        likely = f"did you mean {meant!r}? " if meant is not None else ""
        raise Invalid(f"no provider kind {name!r}; {likely}known are {', '.join(CATALOG)}", "kind")
    return CATALOG[name]


def bind(config: Provider) -> ProviderKind:
    """The kind of a configured provider, ready to prepare its requests; raises Invalid for an unknown kind."""
    return kind_of(config.kind)(config)
