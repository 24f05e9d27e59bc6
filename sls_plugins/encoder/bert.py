"""The forward pass of a small BERT in plain NumPy.

Devlin et al., "BERT", 2019, with the mean pooling of Reimers & Gurevych, "Sentence-BERT", 2019.
All tokens of a batch stand below one another without padding: the dense layers see one matrix, and
attention takes together only texts of equal length, so that no mask is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sls_plugins.types import Matrix, unit_rows

__all__ = ["Bert", "embed", "read_bert"]

Floats: TypeAlias = NDArray[np.float32]

HEAD_SIZE = 32
"""Width of one attention head in the MiniLM family (Wang et al., 2020)."""

EPSILON = np.float32(1e-12)

GELU = tuple(
    np.float32(c)
    for c in (-1.59566028, -7.29298592e-2, 2.45899701e-4, 6.18041485e-5, -2.2709148e-6)
)
"""Our fit of -log(Φ(x) / Φ(-x)) / x in powers of x²; x·Φ(x) is right to 4e-6 everywhere."""

GELU_ROWS = 64
"""Rows per step: the scratch space then stays in a core's own cache."""


@dataclass(frozen=True, slots=True)
class Norm:
    """Scale and shift of one layer normalisation, shape (h,) each."""

    scale: Floats
    shift: Floats

    def __call__(self, x: Floats) -> Floats:
        """Rows of `x`, shape (t, h), normalised in place."""
        x -= x.mean(axis=1, keepdims=True)
        variance = np.einsum("th,th->t", x, x) / np.float32(x.shape[1])
        x *= (1 / np.sqrt(variance + EPSILON))[:, None]
        x *= self.scale
        x += self.shift
        return x


@dataclass(frozen=True, slots=True)
class Dense:
    """One dense layer; `weight`, shape (in, out), lies as BLAS reads it fastest."""

    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        """Shape (t, in) to (t, out)."""
        y: Floats = x @ self.weight
        y += self.bias
        return y


@dataclass(frozen=True, slots=True)
class Layer:
    """One transformer layer; query, key and value are one dense layer of 3h columns.

    The queries' columns hold the factor 1/√`HEAD_SIZE` of the attention.
    """

    attention: Dense
    attention_out: Dense
    attention_norm: Norm
    inner: Dense
    outer: Dense
    norm: Norm


@dataclass(frozen=True, slots=True)
class Bert:
    """All weights: words (v, h), positions (p, h) with the token type added, and the layers."""

    words: Floats
    positions: Floats
    norm: Norm
    layers: tuple[Layer, ...]

    @property
    def dimension(self) -> int:
        """Length h of a token's vector."""
        return int(self.words.shape[1])


def read_bert(tensors: Mapping[str, Floats]) -> Bert:
    """Arrange the tensors of a `BertModel` checkpoint.

    Raises KeyError naming a tensor that is missing, ValueError for another architecture.
    """

    def norm(name: str) -> Norm:
        return Norm(tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def dense(name: str) -> Dense:
        weight = np.ascontiguousarray(tensors[f"{name}.weight"].T)
        return Dense(weight, tensors[f"{name}.bias"])

    layers: list[Layer] = []
    while f"encoder.layer.{len(layers)}.output.dense.weight" in tensors:
        at = f"encoder.layer.{len(layers)}"
        layers.append(
            Layer(
                _read_attention(tensors, f"{at}.attention.self"),
                dense(f"{at}.attention.output.dense"),
                norm(f"{at}.attention.output.LayerNorm"),
                dense(f"{at}.intermediate.dense"),
                dense(f"{at}.output.dense"),
                norm(f"{at}.output.LayerNorm"),
            )
        )
    words = tensors["embeddings.word_embeddings.weight"]
    if not layers or words.shape[1] % HEAD_SIZE:
        raise ValueError(
            f"{len(layers)} layers of width {words.shape[1]} are no BERT of the MiniLM family, "
            f"whose attention heads are {HEAD_SIZE} wide"
        )
    types = tensors["embeddings.token_type_embeddings.weight"]
    return Bert(
        words=words,
        positions=tensors["embeddings.position_embeddings.weight"] + types[0],
        norm=norm("embeddings.LayerNorm"),
        layers=tuple(layers),
    )


def _read_attention(tensors: Mapping[str, Floats], at: str) -> Dense:
    """Query, key and value side by side; the scale of the attention goes into the queries."""
    parts = [(f"{at}.query", HEAD_SIZE**-0.5), (f"{at}.key", 1.0), (f"{at}.value", 1.0)]
    weights = [tensors[f"{name}.weight"].T * np.float32(scale) for name, scale in parts]
    biases = [tensors[f"{name}.bias"] * np.float32(scale) for name, scale in parts]
    return Dense(np.concatenate(weights, axis=1), np.concatenate(biases))


def embed(bert: Bert, rows: Sequence[Sequence[int]]) -> Matrix:
    """Mean-pooled unit vectors, shape (n, h), of n texts given as token ids, shortest first.

    Equal lengths must be adjacent, and no row is empty or longer than the position table.
    """
    runs = [(length, len(list(run))) for length, run in groupby(map(len, rows))]
    ids = np.concatenate([np.asarray(row, dtype=np.intp) for row in rows])
    places = np.concatenate([np.tile(np.arange(length), count) for length, count in runs])
    x = bert.norm(bert.words[ids] + bert.positions[places])
    for layer in bert.layers:
        x = _transform(layer, x, runs)
    pooled = [run.mean(axis=1) for run in _runs(x, runs)]
    return unit_rows(np.concatenate(pooled))


def _transform(layer: Layer, x: Floats, runs: Sequence[tuple[int, int]]) -> Floats:
    """One layer: attention, then the two dense layers, each added to its input."""
    attended = layer.attention_out(_attend(layer.attention(x), runs))
    attended += x
    x = layer.attention_norm(attended)
    y = layer.outer(_gelu(layer.inner(x)))
    y += x
    return layer.norm(y)


def _runs(x: Floats, runs: Sequence[tuple[int, int]]) -> list[Floats]:
    """Views of shape (count, length, h) on the token rows of each run of equally long texts."""
    views, start = [], 0
    for length, count in runs:
        stop = start + length * count
        views.append(x[start:stop].reshape(count, length, -1))
        start = stop
    return views


def _attend(qkv: Floats, runs: Sequence[tuple[int, int]]) -> Floats:
    """Scaled dot-product attention of every text with itself: (t, 3h) to (t, h)."""
    hidden = qkv.shape[1] // 3
    out = np.empty((len(qkv), hidden), dtype=np.float32)
    for run, target in zip(_runs(qkv, runs), _runs(out, runs), strict=True):
        count, length = run.shape[:2]
        parts = run.reshape(count, length, 3, hidden // HEAD_SIZE, HEAD_SIZE)
        query, key, value = parts.transpose(2, 0, 3, 1, 4)
        weights = query @ key.swapaxes(2, 3)
        weights -= weights.max(axis=3, keepdims=True)
        np.exp(weights, out=weights)
        mixed = weights @ value
        mixed /= weights.sum(axis=3, keepdims=True)
        target[:] = mixed.transpose(0, 2, 1, 3).reshape(target.shape)
    return out


def _gelu(x: Floats) -> Floats:
    """x·Φ(x), in place."""
    scratch = np.empty((2, min(GELU_ROWS, len(x)), x.shape[1]), dtype=np.float32)
    for start in range(0, len(x), GELU_ROWS):
        part = x[start : start + GELU_ROWS]
        square, power = scratch[:, : len(part)]
        np.multiply(part, part, out=square)
        np.multiply(square, GELU[-1], out=power)
        for coefficient in GELU[-2:0:-1]:
            power += coefficient
            power *= square
        power += GELU[0]
        power *= part
        np.minimum(power, np.float32(80), out=power)  # exp would overflow
        np.exp(power, out=power)
        power += np.float32(1)
        part /= power
    return x
