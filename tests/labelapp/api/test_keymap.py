"""Each user's own keys of the review page."""

import pytest

ADDRESS = "/api/v1/keymap/"


def test_nobody_has_moved_a_key_at_first(as_viewer):
    assert as_viewer.get(ADDRESS).json() == {"keys": {}}


def test_keys_are_kept_for_their_user_alone(as_expert, as_manager):
    keys = {"listen": "l", "undo": "ctrl+y", "pan-left": "shift+ArrowLeft", "speed": "shift+Space", "keys": "/"}
    assert as_expert.put(ADDRESS, {"keys": keys}).json() == {"keys": keys}
    assert as_expert.get(ADDRESS).json() == {"keys": keys}
    assert as_manager.get(ADDRESS).json() == {"keys": {}}


def test_an_empty_map_gives_all_keys_back(as_expert):
    as_expert.put(ADDRESS, {"keys": {"listen": "l"}})
    assert as_expert.put(ADDRESS, {"keys": {}}).status_code == 200
    assert as_expert.get(ADDRESS).json() == {"keys": {}}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"listen": "1"}, "digits"),
        ({"listen": "Enter"}, "cannot be moved"),
        ({"listen": "Escape"}, "cannot be moved"),
        ({"listen": "l", "similar": "l"}, "more than one action"),
        ({"listen": "two keys"}, "is no key"),
        ({"Listen!": "l"}, "names no action"),
        ({f"action-{n}": f"alt+{chr(0x4E00 + n)}" for n in range(201)}, "at most 200"),
    ],
)
def test_a_key_that_cannot_be_is_refused_in_words_and_nothing_is_kept(as_expert, refused, keys, said):
    assert said in str(refused(as_expert.put(ADDRESS, {"keys": keys}), 400))
    assert as_expert.get(ADDRESS).json() == {"keys": {}}


def test_a_body_without_keys_is_refused(as_expert, refused):
    refused(as_expert.put(ADDRESS, {"kyes": {}}), 400)
