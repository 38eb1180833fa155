"""A model of a few hundred KB with random weights, which a real llama.cpp server loads.

It is a two-layer Qwen2 whose vocabulary is the 256 bytes and Qwen2.5-Coder's control tokens, so one
byte of text is one token. It says nothing sensible, and says it fast: tests of protocol, caching
and cancelling need no more. Every file written from the same arguments is the same, byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CONTROL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)
"""Their ids follow the bytes': the first one's is 256."""

CONTEXT_TOKENS = 32768
"""What the file says that it was trained with."""

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_BYTES = 256
_EMBEDDING = 64
_FEED_FORWARD = 128
_HEADS = 2
_LAYERS = 2
_NEVER = -50.0


def _byte_tokens() -> list[str]:
    """Spell each byte as GPT-2 does: printable ones as themselves, others from U+0100 on."""
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(_BYTES)]


def _token_id(text: str) -> int:
    return _BYTES + CONTROL_TOKENS.index(text)


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    tokens = _byte_tokens()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    # llama.cpp wants merges; these two bytes are never neighbours in UTF-8, so nothing merges.
    writer.add_token_merges([f"{tokens[0xFE]} {tokens[0xFF]}"])
    writer.add_token_list([*tokens, *CONTROL_TOKENS])
    writer.add_token_types(
        [gguf.TokenType.NORMAL] * _BYTES + [gguf.TokenType.CONTROL] * len(CONTROL_TOKENS)
    )
    writer.add_eos_token_id(_token_id("<|im_end|>"))
    writer.add_pad_token_id(_token_id("<|endoftext|>"))
    writer.add_add_bos_token(value=False)
    for role, text in (
        ("fim_pre", "<|fim_prefix|>"),
        ("fim_suf", "<|fim_suffix|>"),
        ("fim_mid", "<|fim_middle|>"),
        ("fim_pad", "<|fim_pad|>"),
        ("fim_rep", "<|repo_name|>"),
        ("fim_sep", "<|file_sep|>"),
    ):
        writer.add_uint32(f"tokenizer.ggml.{role}_token_id", _token_id(text))
    writer.add_chat_template(CHAT_TEMPLATE)


def _weights(seed: int) -> dict[str, NDArray[np.float32]]:
    """Draw the weights. The first dimension of the residual stream is a constant.

    No layer writes to it, so the output matrix's first column works as a bias. It rules out every
    token but printable ASCII and the newline: answers are valid text, and never stop by themselves.
    """
    random = np.random.default_rng(seed)

    def draw(*shape: int) -> NDArray[np.float32]:
        return (random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    vocabulary = _BYTES + len(CONTROL_TOKENS)
    embedding = draw(vocabulary, _EMBEDDING) * np.float32(np.sqrt(_EMBEDDING))
    embedding[:, 0] = 1.0
    output = draw(vocabulary, _EMBEDDING) * np.float32(4.0)
    output[:, 0] = _NEVER
    output[[ord("\n"), *range(ord(" "), ord("~") + 1)], 0] = 0.0
    tensors: dict[str, NDArray[np.float32]] = {
        "token_embd.weight": embedding,
        "output_norm.weight": np.ones(_EMBEDDING, np.float32),
        "output.weight": output,
    }
    for layer in range(_LAYERS):
        for name in ("attn_q", "attn_k", "attn_v"):
            tensors[f"blk.{layer}.{name}.weight"] = draw(_EMBEDDING, _EMBEDDING)
            tensors[f"blk.{layer}.{name}.bias"] = np.zeros(_EMBEDDING, np.float32)
        for name, width in (("attn_output", _EMBEDDING), ("ffn_down", _FEED_FORWARD)):
            into_residual = draw(_EMBEDDING, width)
            into_residual[0] = 0.0
            tensors[f"blk.{layer}.{name}.weight"] = into_residual
        for name in ("ffn_gate", "ffn_up"):
            tensors[f"blk.{layer}.{name}.weight"] = draw(_FEED_FORWARD, _EMBEDDING)
        for name in ("attn_norm", "ffn_norm"):
            tensors[f"blk.{layer}.{name}.weight"] = np.ones(_EMBEDDING, np.float32)
    return tensors


def write_tiny_gguf(path: Path, *, seed: int = 0, name: str = "Tiny Random Coder") -> Path:
    """Write the model to `path`, under `name` in its metadata, and return the path."""
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name(name)
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(_EMBEDDING)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_vocabulary(writer)
    for tensor_name, values in _weights(seed).items():
        writer.add_tensor(tensor_name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
