/** The catalogue's list: choose events by hand or by filter, relabel them with one reason, take that back; merge. */
import { post } from "./api.js";
import { merging, preview, said } from "./bulkwords.js";
import { h } from "./dom.js";

const EVENTS = "/api/v1/events";
const MOST_MERGED = 20;
const part = (id) => document.getElementById(id);
const bar = part("bulk");
const site = Number(bar.dataset.site);
const boxes = [...document.querySelectorAll("[data-choose]")];
const KEPT = `bulk ${site}`;

// Whether all events of the filter are chosen, also those on other pages; the box from which Shift chooses on.
const now = { isAll: false, last: null };

const classes = Object.fromEntries([...part("bulk-class").options].filter(({ value }) => value)
    .map((option) => [option.value, { name: option.text, colour: option.dataset.colour }]));

function chosen() {
    return boxes.filter((box) => box.checked).map((box) => Number(box.dataset.choose));
}

/** The selection as the API takes it: what the filter finds now, or these events. */
function selection() {
    return now.isAll ? { filter: JSON.parse(part("chosen").textContent) } : { events: chosen() };
}

/* ---- choosing ---- */

function choose(event) {
    const box = event.target.closest("[data-choose]");
    if (!box) return;
    now.isAll = false;
    if (event.shiftKey && now.last) between(now.last, box).forEach((other) => { other.checked = box.checked; });
    now.last = box;
    showSelection();
}

function between(first, last) {
    const [from, to] = [boxes.indexOf(first), boxes.indexOf(last)].sort((a, b) => a - b);
    return boxes.slice(from, to + 1);
}

function choosePage(isChosen) {
    now.isAll = false;
    for (const box of boxes) box.checked = isChosen;
    showSelection();
}

function chooseAll() {
    choosePage(true);
    now.isAll = true;
    showSelection();
}

function showSelection() {
    const all = Number(bar.dataset.count);
    const count = now.isAll ? all : chosen().length;
    bar.hidden = count === 0;
    part("bulk-count").textContent = now.isAll ? `All ${all} events chosen` : `${count} event${count === 1 ? "" : "s"} chosen`;
    part("bulk-all").hidden = now.isAll || count < boxes.length || all === boxes.length;
    part("bulk-all").textContent = `Choose all ${all} of this selection`;
    part("bulk-merge").disabled = now.isAll || count < 2 || count > MOST_MERGED;
    const page = part("choose-page");
    if (!page) return; // no event fits the filters
    page.checked = count > 0 && chosen().length === boxes.length;
    page.indeterminate = count > 0 && !page.checked;
}

/* ---- asking, and doing ---- */

/** Runs `action`; a refusal is said in `place` and leaves everything as it is. */
async function trying(place, action) {
    place.textContent = "";
    try {
        await action();
    } catch (error) {
        place.textContent = error.message;
    }
}

function show(content, submit) {
    const dialog = part("bulk-dialog");
    const trouble = h("p", { class: "message bad", role: "alert" });
    const form = h("form", { method: "dialog" }, content, trouble);
    form.addEventListener("submit", (event) => {
        if (event.submitter?.value === "cancel") return;
        event.preventDefault();
        event.submitter.disabled = true;
        trying(trouble, () => submit(new FormData(form).get("reason")?.trim() ?? "")).finally(() => { event.submitter.disabled = false; });
    });
    dialog.replaceChildren(form);
    dialog.showModal();
}

function ask(event) {
    event.preventDefault();
    const body = { site, ...selection(), event_class: part("bulk-class").value };
    trying(part("bulk-trouble"), async () => {
        const seen = await post(`${EVENTS}/relabel/`, { ...body, preview: true });
        const previewed = { expected: seen.count + seen.held_count, selection: seen.selection };
        show(preview(seen, classes, body.event_class), (reason) => relabel({ ...body, reason, ...previewed }));
    });
}

async function relabel(body) {
    const { batch, written, skipped_count: skipped } = await post(`${EVENTS}/relabel/`, body);
    sessionStorage.setItem(KEPT, JSON.stringify({ batch, written, skipped, name: classes[body.event_class].name }));
    location.reload();
}

function askMerge() {
    const rows = boxes.filter((box) => box.checked).map((box) => box.closest("tr"));
    const facts = rows.map((row) => ({ name: row.dataset.name, label: row.dataset.label, start: row.dataset.start }));
    show(merging(facts), async (reason) => {
        const event = await post(`${EVENTS}/merge/`, { events: chosen(), reason });
        location.assign(`/events/${event.id}/`);
    });
}

/** What was done last in this tab, with its way back. */
function showDone() {
    const done = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
    if (!done) return;
    const place = part("bulk-done");
    place.replaceChildren(said(done), " ", h("button", { type: "button", onclick: () => undo(done) }, "Undo"), " ",
        h("button", { type: "button", class: "quiet", onclick: () => { sessionStorage.removeItem(KEPT); place.replaceChildren(); } }, "Dismiss"));
}

async function undo({ batch }) {
    await trying(part("bulk-done"), async () => {
        const { withdrawn, left_count: left } = await post(`${EVENTS}/relabel/${batch}/undo/`);
        sessionStorage.setItem(KEPT, JSON.stringify({ withdrawn, left }));
        location.reload();
    });
}

function showUndone() {
    const done = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
    if (!done || done.batch) return showDone();
    sessionStorage.removeItem(KEPT);
    part("bulk-done").textContent = said(done);
    return undefined;
}

boxes[0]?.closest("tbody").addEventListener("click", choose);
part("choose-page")?.addEventListener("change", (event) => choosePage(event.target.checked));
part("bulk-all").addEventListener("click", chooseAll);
part("bulk-none").addEventListener("click", () => choosePage(false));
part("bulk-form").addEventListener("submit", ask);
part("bulk-merge").addEventListener("click", askMerge);
showUndone();
showSelection();
