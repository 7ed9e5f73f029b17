/** The event page: what lies around the event, each part read when it is first opened. Keys are those of the review page. */
import { ACTIONS } from "./actions.js";
import { moduleOf } from "./around.js";
import { listen, resolved } from "./keys.js";
import { Listen } from "./listen.js";
import { Section } from "./section.js";
import { Similar } from "./similar.js";
import { Surroundings } from "./surroundings.js";

const KINDS = { surroundings: Surroundings, section: Section, similar: Similar, listen: Listen };
const OPENING = ["wider", "narrower", "section", "similar", "listen", "speed"]; // other keys also serve what is open already
const item = JSON.parse(document.getElementById("around-item").textContent);
const parts = {};

function boxOf(name) {
    return document.querySelector(`details[data-part="${name}"]`);
}

function partOf(name) {
    parts[name] ??= new KINDS[name](boxOf(name).querySelector(".part"), { policy: item.policy });
    return parts[name];
}

/** Fills a part, once for each opening. */
async function open(name) {
    const box = boxOf(name);
    box.open = true;
    await partOf(name).show(item, item.event.station);
}

function shut(name) {
    parts[name]?.hide();
    boxOf(name).open = false;
}

for (const box of document.querySelectorAll("details[data-part]")) {
    const { part: name } = box.dataset;
    box.addEventListener("toggle", () => {
        if (box.open && !parts[name]?.item) open(name);
        else if (box.open && box.querySelector(".part").hidden) open(name);
        else if (!box.open) parts[name]?.hide();
    });
    // A part that put itself away closes its box.
    new MutationObserver(() => { if (box.querySelector(".part").hidden) box.open = false; })
        .observe(box.querySelector(".part"), { attributeFilter: ["hidden"] });
}

async function run(action) {
    const name = moduleOf(action);
    const isLook = !OPENING.includes(action) && document.querySelector("details[data-part][open]");
    if (!boxOf(name).open && !isLook) {
        await open(name);
        if (action !== "listen") return;
    }
    if (["section", "similar"].includes(action)) return shut(name);
    await partOf(name).actions().find(({ id }) => id === action)?.run();
}

const keys = resolved(ACTIONS);
listen(() => Object.fromEntries(ACTIONS.filter(({ id }) => moduleOf(id)).map(({ id }) => [keys[id], () => run(id)])));
