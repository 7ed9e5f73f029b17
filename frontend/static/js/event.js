/** The event page's panel: what the newest model saw, to look at only. */
import { get } from "./api.js";
import { h } from "./dom.js";
import { draw, fetchPanel, keepSize } from "./screen.js";
import { inWords } from "./words.js";

const card = document.getElementById("panel-card");
const part = (id) => document.getElementById(id);
const classes = JSON.parse(part("classes").textContent);
const nameOf = (code) => classes[code] ?? code;
const now = { stored: [], station: 0, target: 0 };

function button(text, pressed, onclick) {
    return h("button", { type: "button", "aria-pressed": String(pressed), onclick }, text);
}

function choices(targets) {
    const stations = now.stored.map(({ station }, i) => button(station, i === now.station, () => show({ station: i })));
    const relevance = targets.map((code, i) => button(nameOf(code), i === now.target, () => show({ target: i })));
    return [h("span", { class: "muted" }, "Station"), ...stations, h("span", { class: "muted" }, "Relevance for"), ...relevance];
}

async function show(change) {
    Object.assign(now, change);
    const panel = await fetchPanel(now.stored[now.station].url);
    const { targets } = panel;
    now.target = Math.min(now.target, targets.length - 1);
    part("plot").hidden = false;
    part("panel-choices").replaceChildren(...choices(targets));
    part("words").replaceChildren(...inWords(panel, now.target, nameOf));
    await draw(part("plot"), panel, now.target, { what: nameOf(targets[now.target]), view: { time: "event", height: "event" } });
    part("panel-status").textContent = "";
    card.dataset.state = "ready";
}

async function start() {
    try {
        now.stored = await get(card.dataset.panels);
        if (now.stored.length) await show({});
        else part("panel-status").textContent = "No panel is stored: maps are made for events that come up for review.";
    } catch (error) {
        part("panel-status").textContent = error.message;
    }
}

addEventListener("themechange", () => now.stored.length && show({}));
keepSize(part("plot"));
start();
