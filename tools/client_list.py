"""The clients that `make clients` installs and runs: the package of each, and the settings that point it at Conduit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    """One client. `home` is `npm` or the name of a Python environment; `also` lists further requirements."""

    name: str
    home: str
    package: str
    bounds: str
    calls: str
    recipe: str
    also: tuple[str, ...] = ()

    @property
    def side(self) -> str:
        """`node` or `python`."""
        return "node" if self.home == "npm" else "python"

    @property
    def requirements(self) -> list[str]:
        """As npm or pip wants them."""
        return [f"{self.package}{'@' if self.home == 'npm' else ''}{self.bounds}", *self.also]


LLAMA_CPP = {"llama-cpp": ["xllamacpp>=2026.10", "gguf>=0.19,<1", "numpy>=2,<3"]}
"""Environment -> the requirements of a real llama.cpp and of `tools/tiny_llama.py`, which makes its model."""
_OPENAI = "`base_url` = `http://127.0.0.1:5000/v1`, `api_key` = the virtual key"
_OPENAI_JS = "`baseURL` = `http://127.0.0.1:5000/v1`, `apiKey` = the virtual key"
_ROOT_JS = "`baseURL` = `http://127.0.0.1:5000`, `apiKey` = the virtual key"
_ROOT = "`base_url` = `http://127.0.0.1:5000`, `api_key` = the virtual key"

# Lower bounds name releases that ask for Node 22 and run on Node 20: npm would else choose an older one there.
CLIENTS = (
    Client("Claude Code", "npm", "@anthropic-ai/claude-code", ">=2.1.332 <3", "messages",
           "`ANTHROPIC_BASE_URL=http://127.0.0.1:5000`, `ANTHROPIC_AUTH_TOKEN` = the virtual key; `ANTHROPIC_MODEL` and"
           " `ANTHROPIC_DEFAULT_HAIKU_MODEL` = an alias"),
    Client("Codex CLI", "npm", "@openai/codex", ">=0.169 <1", "responses",
           '`~/.codex/config.toml`: `model`, `model_provider = "conduit"` and `[model_providers.conduit]` with `base_url`'
           ' (ends in `/v1`), `env_key = "CONDUIT_API_KEY"`, `wire_api = "responses"`'),
    Client("Gemini CLI", "npm", "@google/gemini-cli", ">=0.61 <1", "Gemini",
           "`GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:5000`, `GEMINI_API_KEY` = the virtual key, and in"
           ' `~/.gemini/settings.json` `security.auth.selectedType` = `"gemini-api-key"`'),
    Client("OpenCode", "npm", "opencode-ai", "^1.18", "chat",
           "`opencode.json`: `provider.conduit` with `npm` = `@ai-sdk/openai-compatible`, `options.baseURL` (ends in `/v1`),"
           " `options.apiKey`, `models`; then `model` = `conduit/<alias>`"),
    Client("Qwen Code", "npm", "@qwen-code/qwen-code", ">=0.24.4 <1", "chat",
           "`OPENAI_BASE_URL=http://127.0.0.1:5000/v1`, `OPENAI_API_KEY` = the virtual key, `OPENAI_MODEL` = an alias;"
           " `--auth-type openai`. It ignores `NO_PROXY`: unset `HTTP_PROXY` and `HTTPS_PROXY` for it"),
    Client("Copilot CLI", "npm", "@github/copilot", ">=1.0.102 <2", "chat",
           "`COPILOT_PROVIDER_BASE_URL=http://127.0.0.1:5000/v1`, `COPILOT_PROVIDER_API_KEY` = the virtual key, `COPILOT_MODEL` ="
           " an alias; `COPILOT_OFFLINE=true` keeps it from calling anybody else"),
    Client("Cline", "npm", "cline", "^3", "chat",
           "`cline auth --provider openai --baseurl http://127.0.0.1:5000/v1 --apikey <virtual key> --modelid <alias>`"),
    Client("Pi", "npm", "@earendil-works/pi-coding-agent", ">=0.74 <2", "chat",
           "`~/.pi/agent/models.json`: `providers.conduit` with `baseUrl` (ends in `/v1`), `api` = `openai-completions`, `apiKey`,"
           " `models`; then `pi --provider conduit --model <alias>`"),
    Client("Continue CLI", "npm", "@continuedev/cli", "^1.5", "chat",
           "`config.yaml`: a model with `provider: openai`, `model` = an alias, `apiBase` (ends in `/v1`), `apiKey`,"
           " `capabilities: [tool_use]`"),
    Client("aider", "aider", "aider-chat", ">=0.86,<1", "chat",
           "`OPENAI_API_BASE=http://127.0.0.1:5000/v1`, `OPENAI_API_KEY` = the virtual key; `--model openai/<alias>`"),
    Client("llm", "python", "llm", ">=0.36,<1", "chat",
           "`extra-openai-models.yaml` in `llm`'s folder: `model_id`, `model_name` = an alias, `api_base` (ends in `/v1`),"
           " `api_key_name: conduit`, `supports_tools: true`; then `llm keys set conduit`"),
    Client("OpenAI Python", "python", "openai", ">=3,<5", "chat, responses", f"{_OPENAI}; `AzureOpenAI` with `azure_endpoint` = `http://127.0.0.1:5000`"),
    Client("OpenAI Node", "npm", "openai", "^7.59", "chat, responses", _OPENAI_JS),
    Client("Anthropic Python", "python", "anthropic", ">=2,<4", "messages", _ROOT),
    Client("Anthropic Node", "npm", "@anthropic-ai/sdk", "^1", "messages",
           _ROOT_JS),
    Client("google-genai Python", "python", "google-genai", ">=3,<5", "Gemini",
           "`Client(api_key=…, http_options=HttpOptions(base_url=\"http://127.0.0.1:5000\"))`"),
    Client("google-genai Node", "npm", "@google/genai", "^3.3", "Gemini",
           '`new GoogleGenAI({ apiKey, httpOptions: { baseUrl: "http://127.0.0.1:5000" } })`'),
    Client("LangChain", "python", "langchain", ">=1,<2", "chat, responses, messages",
           "`ChatOpenAI(base_url=\"http://127.0.0.1:5000/v1\", …)`, `ChatAnthropic(base_url=\"http://127.0.0.1:5000\", …)`",
           ("langchain-openai>=1,<2", "langchain-anthropic>=1,<2")),
    Client("LlamaIndex", "llamaindex", "llama-index-llms-openai-like", ">=0.8,<1", "chat",
           "`OpenAILike(api_base=\"http://127.0.0.1:5000/v1\", is_chat_model=True, is_function_calling_model=True, …)`",
           ("llama-index-core>=0.14,<1",)),
    Client("LangGraph", "python", "langgraph", ">=1.2,<2", "chat, responses, messages", "as LangChain"),
    Client("Haystack", "python", "haystack-ai", ">=3,<4", "chat, responses",
           "`OpenAIChatGenerator(api_base_url=\"http://127.0.0.1:5000/v1\", api_key=Secret.from_token(…), model=…)`"),
    Client("Semantic Kernel", "semantic-kernel", "semantic-kernel", ">=1.45,<2", "chat",
           "`OpenAIChatCompletion(ai_model_id=…, async_client=AsyncOpenAI(base_url=\"http://127.0.0.1:5000/v1\", …))`"),
    # autogen-ext 0.7 sends Anthropic's SDK a field that its releases since 1 do not know.
    Client("AutoGen", "autogen", "autogen-agentchat", ">=0.7,<1", "chat, messages",
           "`OpenAIChatCompletionClient(base_url=\"http://127.0.0.1:5000/v1\", model_info=…, …)`;"
           " `AnthropicChatCompletionClient` without `/v1`",
           ("autogen-ext[openai,anthropic]>=0.7,<1", "anthropic<1")),
    Client("CrewAI", "crewai", "crewai", ">=1.15,<2", "chat",
           "`LLM(model=…, provider=\"openai\", base_url=\"http://127.0.0.1:5000/v1\", api_key=…)`"),
    Client("smolagents", "smolagents", "smolagents[openai,litellm]", ">=1.26,<2", "chat",
           "`OpenAIServerModel(api_base=\"http://127.0.0.1:5000/v1\", …)`; with an alias of a reasoning model also"
           " `stop=REMOVE_PARAMETER`", ),
    Client("dspy", "litellm", "dspy", ">=3.4,<4", "chat",
           "`dspy.LM(\"openai/<alias>\", api_base=\"http://127.0.0.1:5000/v1\", api_key=…)`"),
    Client("LiteLLM SDK", "litellm", "litellm", ">=1.110,<2", "chat, messages, responses",
           "`completion(\"openai/<alias>\", api_base=\"http://127.0.0.1:5000/v1\", …)`; `anthropic/<alias>` without `/v1`"),
    Client("mem0", "mem0", "mem0ai", ">=2.2,<3", "chat, embeddings",
           "`openai_base_url` of `llm` and `embedder`; with an alias of a reasoning model also `is_reasoning_model`: true"),
    Client("OpenAI Agents SDK", "python", "openai-agents", ">=0.24,<1", "chat, responses, responses over WebSocket",
           "`RunConfig(model_provider=OpenAIProvider(base_url=\"http://127.0.0.1:5000/v1\", api_key=…))`;"
           " `responses_websocket_session(base_url=…, api_key=…)`"),
    Client("Claude Agent SDK", "python", "claude-agent-sdk", ">=0.2,<1", "messages",
           "`ClaudeAgentOptions(model=…, env={\"ANTHROPIC_BASE_URL\": \"http://127.0.0.1:5000\", \"ANTHROPIC_AUTH_TOKEN\": …})`"),
    Client("Google ADK", "google-adk", "google-adk", ">=2.13,<3", "Gemini, chat",
           "`GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:5000`, `GOOGLE_API_KEY` = the virtual key; or"
           " `LiteLlm(\"openai/<alias>\", api_base=\"http://127.0.0.1:5000/v1\", …)`", ("litellm>=1.110,<2",)),
    Client("pydantic-ai", "pydantic-ai", "pydantic-ai-slim[openai,anthropic,google]", ">=2,<3", "chat, responses, messages, Gemini",
           "`OpenAIProvider(base_url=\"http://127.0.0.1:5000/v1\", …)`; `AnthropicProvider` and `GoogleProvider` without `/v1`"),
    Client("instructor", "instructor", "instructor", ">=1,<2", "chat",
           "`instructor.from_openai(OpenAI(base_url=\"http://127.0.0.1:5000/v1\", …))`"),
    Client("Vercel AI SDK", "npm", "ai", "^7", "responses, chat, messages, Gemini",
           '`createOpenAI({ baseURL: "http://127.0.0.1:5000/v1", apiKey })`, also `createAnthropic` and those of DeepSeek, Mistral'
           ' and xAI (which reads no answers of OpenAI itself); `createGoogleGenerativeAI` with `/v1beta`',
           ("@ai-sdk/openai@^4.0.118", "@ai-sdk/anthropic@^4.0.105", "@ai-sdk/google@^4.0.121", "@ai-sdk/openai-compatible@^3.0.92",
            "@ai-sdk/deepseek@^3.0.56", "@ai-sdk/xai@^5.0.12", "@ai-sdk/mistral@^4.0.87", "zod@^4")),
    Client("Claude Agent SDK Node", "npm", "@anthropic-ai/claude-agent-sdk", ">=0.3.332 <1", "messages", "as Claude Code"),
    Client("OpenAI Agents Node", "npm", "@openai/agents", ">=0.20 <1", "responses, chat",
           "`setDefaultOpenAIClient(new OpenAI({ baseURL: \"http://127.0.0.1:5000/v1\", apiKey }))`"),
    Client("LangChain.js", "npm", "@langchain/openai", "^1.6", "chat, responses, messages",
           '`new ChatOpenAI({ apiKey, configuration: { baseURL: "http://127.0.0.1:5000/v1" } })`,'
           ' `new ChatAnthropic({ apiKey, anthropicApiUrl: "http://127.0.0.1:5000" })`',
           ("@langchain/anthropic@^1.5", "@langchain/core@^1.4", "langchain@^1.5")),
    Client("Ollama Node", "npm", "ollama", ">=0.6 <1", "Ollama",
           '`new Ollama({ host: "http://127.0.0.1:5000", headers: { Authorization: "Bearer …" } })`'),
    Client("Ollama Python", "python", "ollama", ">=0.6,<1", "Ollama",
           "`Client(host=\"http://127.0.0.1:5000\", headers={\"Authorization\": \"Bearer …\"})`; without a header, the setting"
           " `anonymous_key` names the key"),
    Client("Cohere Python", "python", "cohere", ">=7,<8", "Cohere", "`ClientV2(api_key=…, base_url=\"http://127.0.0.1:5000\")`"),
)  # fmt: skip
"""In the order of the page."""
