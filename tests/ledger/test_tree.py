"""The tree against RFC 9162's definitions, written independently in naive.py, and against the RFC 6962 vectors."""

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendata.ledger import tree
from opendata.ledger.tree import ProofError

_spec = importlib.util.spec_from_file_location("naive", Path(__file__).with_name("naive.py"))
naive = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(naive)

# Leaves and roots of the reference tests of Certificate Transparency (google/certificate-transparency,
# merkle_tree_test): eight leaves, root after each.
CT_LEAVES = [
    b"",
    bytes.fromhex("00"),
    bytes.fromhex("10"),
    bytes.fromhex("2021"),
    bytes.fromhex("3031"),
    bytes.fromhex("40414243"),
    bytes.fromhex("5051525354555657"),
    bytes.fromhex("606162636465666768696a6b6c6d6e6f"),
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def stored(leaves):
    nodes = {}
    for index, leaf in enumerate(leaves):
        for level, number, value in tree.completed_nodes(
            index, tree.leaf_hash(leaf), lambda level, number: nodes[level, number]
        ):
            assert (level, number) not in nodes
            nodes[level, number] = value
    return lambda level, number: nodes[level, number]


def test_roots_of_the_certificate_transparency_vectors():
    nodes = stored(CT_LEAVES)
    assert [tree.root(size, nodes).hex() for size in range(1, 9)] == CT_ROOTS
    assert tree.root(0, nodes).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


LEAVES = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


@settings(max_examples=60, deadline=None)
@given(leaves=LEAVES, data=st.data())
def test_roots_and_proofs_equal_the_definitions(leaves, data):
    nodes = stored(leaves)
    size = data.draw(st.integers(1, len(leaves)))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    assert tree.root(size, nodes) == naive.mth(leaves[:size])
    assert tree.inclusion_proof(index, size, nodes) == naive.path(index, leaves[:size])
    assert tree.consistency_proof(old, size, nodes) == naive.proof(old, leaves[:size])
    frontier = tree.Frontier()
    for leaf in leaves[:size]:
        frontier.append(tree.leaf_hash(leaf))
    assert frontier.root() == naive.mth(leaves[:size])


def test_every_proof_of_every_tree_up_to_40_verifies():
    leaves = [bytes([number]) for number in range(40)]
    nodes = stored(leaves)
    for size in range(1, 41):
        root = tree.root(size, nodes)
        for index in range(size):
            proof = tree.inclusion_proof(index, size, nodes)
            tree.verify_inclusion(tree.leaf_hash(leaves[index]), index, size, proof, root)
        for old in range(1, size + 1):
            proof = tree.consistency_proof(old, size, nodes)
            tree.verify_consistency(old, size, tree.root(old, nodes), root, proof)


@settings(max_examples=150, deadline=None)
@given(size=st.integers(1, 60), data=st.data())
def test_a_proof_fails_for_any_other_leaf_index_root_or_proof(size, data):
    leaves = [bytes([number]) for number in range(size)]
    nodes = stored(leaves)
    root = tree.root(size, nodes)
    index = data.draw(st.integers(0, size - 1))
    leaf, proof = tree.leaf_hash(leaves[index]), tree.inclusion_proof(index, size, nodes)
    other = data.draw(st.integers(0, size - 1).filter(lambda each: each != index)) if size > 1 else None
    wrong = [(tree.leaf_hash(b"other"), index, size, proof, root), (leaf, index, size, proof, bytes(32))]
    wrong += [
        (leaf, index, size, [*proof, bytes(32)], root),
        (leaf, -1, size, proof, root),
        (leaf, size, size, proof, root),
    ]
    if proof:
        wrong += [(leaf, index, size, proof[:-1], root), (leaf, index, size, proof[1:], root)]
        position = data.draw(st.integers(0, len(proof) - 1))
        wrong.append((leaf, index, size, [*proof[:position], bytes(32), *proof[position + 1 :]], root))
    if other is not None:
        wrong.append((leaf, other, size, proof, root))
    for arguments in wrong:
        with pytest.raises(ProofError):
            tree.verify_inclusion(*arguments)


@settings(max_examples=150, deadline=None)
@given(new=st.integers(1, 60), data=st.data())
def test_a_consistency_proof_fails_for_any_rewritten_history(new, data):
    leaves = [bytes([number]) for number in range(new)]
    nodes = stored(leaves)
    old = data.draw(st.integers(1, new))
    changed = data.draw(st.integers(0, old - 1))
    proof = tree.consistency_proof(old, new, nodes)
    rewritten = stored([*leaves[:changed], b"rewritten", *leaves[changed + 1 :]])
    old_root, new_root = tree.root(old, nodes), tree.root(new, nodes)
    forged = tree.consistency_proof(old, new, rewritten)
    wrong = [(old, new, old_root, tree.root(new, rewritten), each) for each in (proof, forged)]
    wrong += [
        (old, new, tree.root(old, rewritten), new_root, proof),
        (old, new, old_root, new_root, [*proof, bytes(32)]),
    ]
    wrong += [(0, new, old_root, new_root, proof), (new + 1, new, old_root, new_root, proof)]
    if proof:
        wrong += [(old, new, old_root, new_root, proof[:-1]), (old, new, old_root, new_root, [])]
    for arguments in wrong:
        with pytest.raises(ProofError):
            tree.verify_consistency(*arguments)


def test_proofs_outside_the_tree_are_refused():
    nodes = stored([b"a"])
    for arguments in [(1, 1), (-1, 1)]:
        with pytest.raises(ProofError):
            tree.inclusion_proof(*arguments, nodes)
    for arguments in [(0, 1), (2, 1)]:
        with pytest.raises(ProofError):
            tree.consistency_proof(*arguments, nodes)
