"""Make a random llama model of half a megabyte for llama.cpp, with a chat template that takes tools: `tiny_llama.py FILE`.

It runs in the environment that holds `gguf` and `numpy`, so it imports nothing of this project.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

SYSTEM_FIRST = """\
{%- macro text(content) -%}
{%- if content is string %}{{ content }}{% elif content %}{% for part in content %}{{ part.text }}{% endfor %}{% endif -%}
{%- endmacro -%}
{%- if tools %}
{{- '<|im_start|>system\\n' }}
{%- if messages[0].role == 'system' %}{{ text(messages[0].content) + '\\n\\n' }}{% endif %}
{{- '# Tools\\n\\nYou may call these functions:\\n<tools>' }}
{%- for tool in tools %}{{ '\\n' + (tool | tojson) }}{% endfor %}
{{- '\\n</tools>\\n\\nA call is a JSON object within <tool_call></tool_call> tags:\\n<tool_call>\\n' }}
{{- '{"name": <name>, "arguments": <object>}\\n</tool_call><|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
{{- '<|im_start|>system\\n' + text(messages[0].content) + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'system' %}
{%- if not loop.first %}{{ raise_exception('System message must be at the beginning.') }}{% endif %}
{%- elif message.role == 'user' %}
{{- '<|im_start|>user\\n' + text(message.content) + '<|im_end|>\\n' }}
{%- elif message.role == 'assistant' %}
{{- '<|im_start|>assistant\\n' + text(message.content) }}
{%- for call in message.tool_calls or [] %}
{{- '\\n<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
{{- (call.function.arguments if call.function.arguments is string else call.function.arguments | tojson) + '}\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- elif message.role == 'tool' %}
{%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{ '<|im_start|>user' }}{% endif %}
{{- '\\n<tool_response>\\n' + text(message.content) + '\\n</tool_response>' }}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{ '<|im_end|>\\n' }}{% endif %}
{%- else %}
{{- raise_exception('Unexpected message role.') }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
"""
"""ChatML with Hermes' tool calls, and the rule of Qwen 3.5's template: one system message, the first."""

ALTERNATING = (
    """\
{%- set ns = namespace(user=true) -%}
{%- for message in messages %}
{%- if not (message.role == 'system' and loop.first) and message.role != 'tool' and not message.tool_calls %}
{%- if (message.role == 'user') != ns.user %}
{{- raise_exception('After the optional system message, conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif %}
{%- set ns.user = not ns.user %}
{%- endif %}
{%- endfor -%}
"""
    + SYSTEM_FIRST
)
"""The same with the rule of Mistral's templates: user and assistant in turn, calls and results aside."""

WIDTH, LAYERS, HEADS, CONTEXT = 64, 2, 4, 131072
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>")
WORDS = ("the", "model", "says", "weather", "in", "Bern", "is", "sunny")


def main() -> None:
    """Write the model to the path that the command line names, and next to it the other template."""
    path = Path(sys.argv[1])
    write(path)
    path.with_name("alternating.jinja").write_text(ALTERNATING, encoding="utf-8")


def write(path: Path) -> None:
    """A byte-level vocabulary, random weights, and an output layer that prefers letters, quotes, calls and the end."""
    import gguf
    import numpy as np

    tokens, merges = _vocabulary()
    kinds = (
        [gguf.TokenType.NORMAL] * (len(tokens) - len(SPECIAL)) + [gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.USER_DEFINED] * 2
    )
    made = gguf.GGUFWriter(path, "llama")
    made.add_name("tiny")
    made.add_context_length(CONTEXT)
    made.add_embedding_length(WIDTH)
    made.add_block_count(LAYERS)
    made.add_feed_forward_length(2 * WIDTH)
    made.add_head_count(HEADS)
    made.add_head_count_kv(HEADS)
    made.add_rope_dimension_count(WIDTH // HEADS)
    made.add_layer_norm_rms_eps(1e-5)
    made.add_vocab_size(len(tokens))
    made.add_tokenizer_model("gpt2")
    made.add_tokenizer_pre("gpt-2")
    made.add_token_list(tokens)
    made.add_token_types(kinds)
    made.add_token_merges(merges)
    made.add_bos_token_id(tokens.index(SPECIAL[0]))
    made.add_eos_token_id(tokens.index(SPECIAL[2]))
    made.add_add_bos_token(False)
    made.add_chat_template(SYSTEM_FIRST)

    random = np.random.default_rng(7)

    def tensor(*shape: int) -> Any:
        return random.normal(0, 0.05, shape).astype(np.float32)

    # The first channel is large in every embedding, so that its column of the output layer is a bias.
    embedding, output = tensor(len(tokens), WIDTH), tensor(len(tokens), WIDTH)
    embedding[:, 0] = 4.0
    output[:, 0] = [_bias(token) for token in tokens]
    made.add_tensor("token_embd.weight", embedding)
    made.add_tensor("output.weight", output)
    made.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            made.add_tensor(f"blk.{layer}.{name}.weight", np.ones(WIDTH, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            made.add_tensor(f"blk.{layer}.{name}.weight", tensor(WIDTH, WIDTH))
        for name, shape in (("ffn_gate", (2 * WIDTH, WIDTH)), ("ffn_up", (2 * WIDTH, WIDTH)), ("ffn_down", (WIDTH, 2 * WIDTH))):
            made.add_tensor(f"blk.{layer}.{name}.weight", tensor(*shape))
    made.write_header_to_file()
    made.write_kv_data_to_file()
    made.write_tensors_to_file()
    made.close()


def _vocabulary() -> tuple[list[str], list[str]]:
    """GPT-2's letters for all bytes, words with the merges that make them, and the special tokens."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in printable]
    tokens = [*map(chr, printable), *(chr(256 + index) for index in range(len(hidden)))]
    merges: list[str] = []
    for word in WORDS:
        made = chr(256 + hidden.index(32))
        for letter in word:
            if made + letter not in tokens:
                merges.append(f"{made} {letter}")
                tokens.append(made + letter)
            made += letter
    return [*tokens, *SPECIAL], merges


def _bias(token: str) -> float:
    """In parts of a logit: the norm makes the first channel about eight."""
    if token in SPECIAL:
        return {"<|im_end|>": 0.45, "<tool_call>": 0.65}.get(token, -2.0)
    if len(token) > 1 or token == '"':
        return 0.5
    return 0.3 if token.isascii() and token.isalnum() else -0.2


if __name__ == "__main__":
    main()
