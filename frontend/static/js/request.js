/** “Review this event”: its item, leased to you. Where its maps are missing, the run that makes them is named first. */
import { post } from "./api.js";
import { h } from "./dom.js";

const button = document.getElementById("ask");
const said = document.getElementById("asked");

/** What is said where a run makes the maps: /api/v1/runs/12/ → its page, and the way on without waiting. */
export function notice(address, item, review) {
    const run = address.match(/(\d+)\/$/)[1];
    return ["It is yours. Its maps are missing: ", h("a", { href: `/runs/${run}/` }, `run ${run}`), " makes them. ",
        h("a", { href: `${review}?item=${item}` }, "Look at it now"), ", or wait for them."];
}

button?.addEventListener("click", async () => {
    const { event, review } = button.dataset;
    button.disabled = true;
    said.textContent = "Asking…";
    try {
        const item = await post(`/api/v1/events/${event}/review/`);
        if (!item.run) return location.assign(`${review}?item=${item.id}`);
        said.replaceChildren(...notice(item.run, item.id, review));
        // From here on live.js says how far the run is.
        document.getElementById("making").dataset.live = "on";
    } catch (error) {
        said.textContent = error.message;
    }
    button.disabled = false;
});
