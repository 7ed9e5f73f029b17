/** The event page's panel: what the newest model saw, to look at only. */
import { get } from "./api.js";
import { h } from "./dom.js";
import { draw, fetchPanel, keepSize } from "./screen.js";
import { inWords, mapName } from "./words.js";

const card = document.getElementById("panel-card");
const part = (id) => document.getElementById(id);
const classes = JSON.parse(part("classes").textContent);
const nameOf = (code) => classes[code] ?? code;
const now = { stored: [], station: 0, map: 0 };

function button(text, pressed, onclick) {
    return h("button", { type: "button", "aria-pressed": String(pressed), onclick }, text);
}

function choices(maps) {
    const stations = now.stored.map(({ station }, i) => button(station, i === now.station, () => show({ station: i })));
    const relevance = maps.map((map, i) => button(mapName(map, nameOf), i === now.map, () => show({ map: i })));
    return [h("span", { class: "muted" }, "Station"), ...stations, h("span", { class: "muted" }, "Relevance for"), ...relevance];
}

async function show(change) {
    Object.assign(now, change);
    const panel = await fetchPanel(now.stored[now.station].url);
    const { maps } = panel;
    now.map = Math.min(now.map, maps.length - 1);
    part("panel-choices").replaceChildren(...choices(maps));
    part("words").replaceChildren(...inWords(panel, now.map, nameOf));
    await draw(part("plot"), panel, now.map, { what: mapName(maps[now.map], nameOf), view: { time: "event", height: "event" } });
    part("panel-status").textContent = "";
    card.dataset.state = "ready";
}

async function start() {
    try {
        now.stored = await get(card.dataset.panels);
        part("plot").hidden = now.stored.length === 0;
        if (now.stored.length) await show({});
        else part("panel-status").textContent = "No panel is stored: maps are made for events that come up for review.";
    } catch (error) {
        part("plot").hidden = true;
        part("panel-status").textContent = error.message;
    }
}

addEventListener("themechange", () => now.stored.length && show({}));
keepSize(part("plot"));
start();
