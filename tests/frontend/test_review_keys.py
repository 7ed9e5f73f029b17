"""Looking by keys: maps, colours, time, the cursor that reads everything; and keys that their user moved."""

import numpy as np
import pytest
from playwright.sync_api import expect

from labelapp.catalogue.selectors import panel_bytes
from labelapp.review.models import Keymap, Relabel
from mlcore.classify.panels import read_panel
from tests.frontend.test_review_page import decide, drawn, press, until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TIME = "document.getElementById('plot')._fullLayout.xaxis.range"
FULL = "document.getElementById('plot').layout.coloraxis2.cmax"


def point_at(page, subplot, across, down):
    area = page.locator(f"#plot .nsewdrag[data-subplot={subplot}]").bounding_box()
    page.mouse.move(area["x"] + across * area["width"], area["y"] + down * area["height"])


def read(page, name):
    return page.inner_text(f"#readout .of-{name}")


def stored(item):
    return read_panel(panel_bytes(item.prediction.explanations.get()))


def test_a_s_and_d_show_the_predictions_map_the_labels_and_their_difference(enqueue, review):
    item = enqueue("quake", "rockfall")
    maps = stored(item).relevance
    page = review()
    for key, words, expected in (
        ("s", "Why Quake:", maps[1]),
        ("d", "Why Rockfall, not Quake:", maps[0] - maps[1]),
        ("a", "Why Rockfall:", maps[0]),
    ):
        press(page, key)
        expect(page.locator("#words")).to_contain_text(words)
        until(page, lambda expected=expected: np.array_equal(drawn(page, "heatmap", "Z relevance"), expected[0]))


def test_e_gives_all_maps_one_scale_and_takes_it_back(enqueue, review):
    enqueue("quake", "rockfall")
    page = review()

    def widths():
        found = []
        for key in "asd":
            press(page, key)
            expect(page.locator("#maps [aria-pressed=true] kbd")).to_have_text(key.upper())
            page.wait_for_timeout(150)
            found.append(page.evaluate(FULL))
        return found

    own = widths()
    assert len(set(own)) == 3
    press(page, "e")
    expect(page.locator("#plot")).to_contain_text("one scale")
    assert widths() == [max(own)] * 3
    press(page, "e")
    expect(page.locator("#plot")).not_to_contain_text("one scale")


def test_o_lays_relevance_over_the_stft_and_behind_the_waveform_clear_at_zero(enqueue, review):
    item = enqueue("quake", "rockfall")
    relevance = stored(item).relevance[0]
    page = review()
    assert drawn(page, "heatmap", "Z relevance over STFT") is None
    press(page, "o")
    until(page, lambda: drawn(page, "heatmap", "Z relevance over STFT") is not None)
    np.testing.assert_array_equal(drawn(page, "heatmap", "N relevance over STFT"), relevance[1])
    behind = np.array(drawn(page, "heatmap", "Z relevance behind waveform"))
    np.testing.assert_allclose(behind[0], relevance[0].astype(float).sum(axis=0), atol=1e-9)
    axes = page.evaluate(
        "(({coloraxis4, coloraxis5}) => [coloraxis4, coloraxis5])(document.getElementById('plot').layout)"
    )
    for axis in axes:
        assert axis["cmin"] == -axis["cmax"] < 0
        assert axis["colorscale"][5] == [0.5, "rgba(255,255,255,0.000)"]
    given = drawn(page, "heatmap", "Z STFT")
    press(page, "o")
    until(page, lambda: drawn(page, "heatmap", "Z relevance over STFT") is None)
    assert drawn(page, "heatmap", "Z STFT") == given


def test_arrows_zoom_and_pan_all_panels_and_0_shows_the_whole(enqueue, review):
    enqueue()
    page = review()
    press(page, "ArrowUp", "ArrowUp")
    until(page, lambda: page.evaluate(f"{TIME}[1] - {TIME}[0]") < 8)
    left = page.evaluate(TIME)[0]
    press(page, "ArrowRight")
    until(page, lambda: page.evaluate(TIME)[0] > left)
    others = "['xaxis2', 'xaxis3'].map(a => document.getElementById('plot')._fullLayout[a].range)"
    assert page.evaluate(others) == [page.evaluate(TIME)] * 2
    press(page, "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    until(page, lambda: page.evaluate(TIME)[0] == 0)  # never beyond the window
    press(page, "0")
    until(page, lambda: page.evaluate(TIME) == [0, 15])


def test_the_cursor_reads_time_frequency_amplitude_stft_and_relevance(enqueue, review):
    item = enqueue("quake", "rockfall")
    panel = stored(item)
    page = review()
    point_at(page, "x2y2", 0.5, 0.5)
    expect(page.locator("#readout .of-component")).to_have_text("Z")
    second = float(read(page, "time").removesuffix(" s"))
    assert abs(second - 7.5) < 0.1
    assert read(page, "utc").startswith("2026-03-01T06:00:01.")
    row = int(np.abs(panel.frequencies_hz - float(read(page, "frequency").removesuffix(" Hz"))).argmin())
    column = int(np.abs(panel.times_s - second).argmin())
    assert float(read(page, "stft")) == pytest.approx(panel.stft[0, row, column], rel=6e-3)
    shown = float(read(page, "relevance").replace("−", "-"))
    assert shown == pytest.approx(panel.relevance[0, 0, row, column], rel=6e-3)
    share, counts = read(page, "amplitude").replace("−", "-").removesuffix(" counts").split(" = ")
    assert float(share) == pytest.approx(panel.waveform[0, round(250 * second)], abs=6e-4)
    assert float(counts) == pytest.approx(12_345 * panel.waveform[0, round(250 * second)], rel=6e-3)


def test_over_a_waveform_the_cursor_reads_what_all_frequencies_say_together(enqueue, review):
    item = enqueue("quake", "rockfall")
    panel = stored(item)
    page = review()
    point_at(page, "xy4", 0.5, 0.5)
    expect(page.locator("#readout .of-component")).to_have_text("N")
    assert (read(page, "frequency"), read(page, "stft")) == ("all", "–")
    column = int(np.abs(panel.times_s - float(read(page, "time").removesuffix(" s"))).argmin())
    shown = float(read(page, "relevance").replace("−", "-"))
    assert shown == pytest.approx(panel.relevance[0, 1, :, column].sum(), rel=6e-3)


def test_the_cursor_moves_by_keys_too_a_step_of_the_stft_at_a_time(enqueue, review):
    item = enqueue()
    times = stored(item).times_s
    page = review()
    press(page, ".", ".", ".")
    middle = int(np.abs(times - 7.5).argmin())
    until(page, lambda: read(page, "time") == f"{times[middle + 3]:.3f} s")
    press(page, ",")
    until(page, lambda: read(page, "time") == f"{times[middle + 2]:.3f} s")
    expect(page.locator(".over-line.is-cursor")).to_have_count(3)


class TestMovedKeys:
    def move(self, page, action, key):
        press(page, "?")
        page.click(f"[data-move={action}]")
        page.keyboard.press(key)

    def test_a_moved_key_does_what_the_old_one_did_and_is_kept(self, enqueue, review, expert):
        enqueue(), enqueue(), enqueue()
        page = review()
        self.move(page, "unsure", "z")
        expect(page.locator("#keys-said")).to_have_text("Z it is.")
        assert Keymap.objects.get(user=expert).keys == {"unsure": "z"}
        press(page, "Escape")
        expect(page.locator("[data-action=unsure] kbd")).to_have_text("Z")
        press(page, "u")
        assert not Relabel.objects.exists()
        decide(page, "z")
        assert Relabel.objects.get().kind == "unsure"
        page.reload()
        page.wait_for_selector("[data-state=ready]")
        expect(page.locator("[data-action=unsure] kbd")).to_have_text("Z")
        press(page, "?")
        page.click("#keys-reset")
        expect(page.locator("[data-move=unsure] kbd")).to_have_text("U")
        assert Keymap.objects.get(user=expert).keys == {}

    def test_keys_that_mean_something_else_are_refused_with_what_they_mean(self, enqueue, review):
        enqueue()
        page = review()
        press(page, "?")
        for key, words in (
            ("r", "next relevance map"),
            ("3", "Rockfall"),
            ("9", "classes"),
            ("Enter", "stays what it is"),
        ):
            page.click("[data-move=listen]")
            expect(page.locator("[data-move=listen]")).to_contain_text("press a key")
            page.keyboard.press(key)
            expect(page.locator("#keys-said")).to_contain_text(words)
            press(page, "Escape")  # waits no longer
        expect(page.locator("[data-move=listen] kbd")).to_have_text("Space")
        assert not Keymap.objects.exists()


def test_keys_rest_while_somebody_types(enqueue, review):
    enqueue("quake")
    page = review()
    press(page, "m")
    page.keyboard.type("u x n 3 ?")
    assert page.input_value("#comment") == "u x n 3 ?"
    assert not Relabel.objects.exists()
    press(page, "Escape")
    page.wait_for_selector("[data-state=ready]")
    expect(page.locator("#more")).not_to_contain_text("u x n")


def test_a_button_pressed_by_the_pointer_does_not_take_the_next_enter(enqueue, review):
    enqueue("quake", "rockfall"), enqueue()
    page = review()
    page.locator("#maps button").nth(1).click()
    expect(page.locator("#words")).to_contain_text("Why Quake:")
    decide(page, "Enter")
    assert Relabel.objects.get().kind == "confirm"
