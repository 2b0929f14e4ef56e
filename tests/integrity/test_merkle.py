"""Merkle roots and paths, by RFC 6962's definition and its implementers' test vectors."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.integrity.merkle import leaf_hash, path_of, root_by_path, root_of

# Certificate Transparency's own reference leaves and roots (google/certificate-transparency, merkle_tree_test.cc).
ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = st.lists(st.binary(max_size=3).map(leaf_hash), min_size=1, max_size=70)


@pytest.mark.parametrize("count", range(1, 9))
def test_roots_are_those_of_the_reference(count: int) -> None:
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES[:count]]
    assert root_of(leaves).hex() == ROOTS[count - 1]


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert root_of([]) == sha256(b"").digest()


@given(LEAVES, st.data())
def test_every_leaf_leads_to_the_root_by_its_path(leaves: list[bytes], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(leaves) - 1))
    path = path_of(leaves, number)
    assert root_by_path(leaves[number], number=number, count=len(leaves), path=path) == root_of(leaves)


@given(LEAVES, st.data())
def test_no_other_leaf_place_or_path_leads_there(leaves: list[bytes], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(leaves) - 1))
    path, root, count = path_of(leaves, number), root_of(leaves), len(leaves)
    other = leaf_hash(b"another event")
    assert root_by_path(other, number=number, count=count, path=path) != root
    assert root_by_path(leaves[number], number=count, count=count, path=path) is None
    assert root_by_path(leaves[number], number=number, count=count, path=[*path, other]) is None
    if path:
        assert root_by_path(leaves[number], number=number, count=count, path=path[:-1]) is None
        assert root_by_path(leaves[number], number=number, count=count, path=[other, *path[1:]]) != root


def test_a_path_to_a_leaf_that_is_not_there_is_an_error() -> None:
    with pytest.raises(IndexError, match="leaf 1 of 1"):
        path_of([leaf_hash(b"")], 1)
