"""The container survives a round trip and no damage, and lies in bytes as docs/bundle.md says."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.bundle.format import BOARDS, board_bits, pack, to_sign, unpack, without_signature
from stages.core.errors import ArtifactError, ConfigError
from tests.core.bundle.examples import CONTENT, IDENTITY

PACKED = pack(IDENTITY, CONTENT)


def word(data, at):
    return int.from_bytes(data[at : at + 4], "little")


def signed(data, signature=bytes(range(64))):
    return to_sign(data) + signature


def test_bundle_round_trip_keeps_everything():
    bundle = unpack(PACKED)
    assert (bundle.identity, bundle.sections, bundle.signature) == (IDENTITY, CONTENT, None)
    assert unpack(signed(PACKED)).signature == bytes(range(64))


def test_header_lies_as_documented():
    assert PACKED[:4] == b"TGB2"
    assert [word(PACKED, at) for at in range(4, 64, 4)] == [2, 160, 48, 6, len(PACKED), 0, 5, 1, 2, 3, 6, 6048, 0, 0, 0]
    assert PACKED[64:160] == b"\x11" * 32 + b"\x22" * 32 + b"\x33" * 32


def test_table_and_sections_lie_as_documented():
    end = 448
    for index, (name, content) in enumerate(CONTENT.items()):
        at = 160 + 48 * index
        assert [word(PACKED, at + 4 * k) for k in range(4)] == [index + 1, end, len(content), 0]
        assert PACKED[at + 16 : at + 48] == hashlib.blake2b(content, digest_size=32).digest()
        assert PACKED[end : end + len(content)] == content, name
        end += (len(content) + 15) // 16 * 16
    assert len(PACKED) == end + 64
    assert PACKED[end:] == bytes(64)


def test_order_in_which_sections_are_given_changes_no_byte():
    assert pack(IDENTITY, dict(reversed(CONTENT.items()))) == PACKED


def test_signing_changes_flag_and_signature_alone():
    made = signed(PACKED)
    assert [i for i in range(len(PACKED) - 64) if made[i] != PACKED[i]] == [24]
    assert without_signature(made) == PACKED


@given(st.integers(0, len(PACKED) - 1))
def test_bundle_truncated_anywhere_is_refused(length):
    with pytest.raises(ArtifactError):
        unpack(PACKED[:length])


@settings(max_examples=300)
@given(st.binary(max_size=800))
def test_noise_is_refused(noise):
    with pytest.raises(ArtifactError):
        unpack(b"TGB2\x02\x00\x00\x00" + noise)


#: The bytes that a reader has no means to doubt in a bundle that is not signed: what identifies it.
UNDOUBTED = {*range(28, 52), *range(64, 160)}


def test_any_altered_byte_but_those_of_the_identity_is_refused():
    for at in range(len(PACKED)):
        altered = bytearray(PACKED)
        altered[at] ^= 0x20
        if at in UNDOUBTED:
            assert unpack(bytes(altered)).identity != IDENTITY
        else:
            with pytest.raises(ArtifactError):
                unpack(bytes(altered))


def test_error_names_the_altered_section():
    with pytest.raises(ArtifactError, match="section golden is truncated or altered"):
        unpack(PACKED.replace(b"golden", b"golsen"))


def test_boards_of_a_bundle_are_a_sum_of_bits():
    assert board_bits(["mps3_an547", "native"]) == 5
    assert sorted(BOARDS.values()) == [1 << bit for bit in range(len(BOARDS))]
    with pytest.raises(ConfigError, match="'mps5' has no bit"):
        board_bits(["native", "mps5"])
