/** The list of keys, where a key can be moved: press it, and it is the user's from then on. */
import { ACTIONS, GROUPS } from "./actions.js";
import { get, put } from "./api.js";
import { h } from "./dom.js";
import { clash, keyName, keyWords, resolved } from "./keys.js";

const ROUTE = "/api/v1/keymap/";

/** A user's keys: {action: key} of those moved, and what follows from them. */
export class Keymap {
    constructor(own = {}) {
        this.set(own);
    }

    set(own) {
        this.own = own;
        this.keys = resolved(ACTIONS, own);
        this.words = Object.fromEntries(Object.entries(this.keys).map(([action, key]) => [action, keyWords(key)]));
    }

    async load() {
        this.set((await get(ROUTE)).keys);
    }

    async save(own) {
        this.set((await put(ROUTE, { keys: own })).keys);
    }
}

/** The dialog. `classes()` gives the classes of the event on the screen; `onChange()` is told of moved keys. */
export class KeyList {
    constructor(dialog, keymap, { classes, onChange }) {
        Object.assign(this, { dialog, keymap, classes, onChange, waiting: null, said: "" });
        dialog.addEventListener("keydown", (event) => this.press(event));
        dialog.addEventListener("close", () => Object.assign(this, { waiting: null, said: "" }));
    }

    show() {
        this.draw();
        this.dialog.showModal();
    }

    reserved() {
        return Object.fromEntries(this.classes().map(({ key, name }) => [key, `it labels an event ${name}`]));
    }

    /** Takes the next key press for the action that waits for one. */
    async press(event) {
        if (!this.waiting) return;
        const key = keyName(event);
        if (key === null || key === "Tab" || key === "shift+Tab") return;
        event.preventDefault();
        event.stopPropagation();
        if (key === "Escape") return this.stop("");
        const { keys } = this.keymap;
        const refused = clash(this.waiting, key, { actions: ACTIONS, keys, reserved: this.reserved() });
        if (refused) return this.stop(refused, this.waiting);
        await this.move({ ...this.keymap.own, [this.waiting]: key }, `${keyWords(key)} it is.`);
    }

    async move(own, said) {
        const moved = Object.entries(own).filter(([action, key]) => ACTIONS.some((one) => one.id === action && one.key !== key));
        try {
            await this.keymap.save(Object.fromEntries(moved));
            this.onChange();
            this.stop(said);
        } catch (error) {
            this.stop(error.message);
        }
    }

    /** Says something and waits for `action`'s key, or for none. */
    stop(said, action = null) {
        const last = this.waiting;
        Object.assign(this, { said, waiting: action });
        this.draw();
        this.dialog.querySelector(`[data-move="${action ?? last}"]`)?.focus();
    }

    line({ id, words, fixed }) {
        const waits = this.waiting === id;
        const key = h("kbd", {}, waits ? "press a key…" : this.keymap.words[id]);
        return [h("dt", {}, fixed ? key : h("button", { type: "button", class: "quiet", "data-move": id, "aria-label": `${this.keymap.words[id]}: ${words}. Move this key`,
            title: "Move this key", onclick: () => this.stop("Press the new key, or Escape.", id) }, key)), h("dd", {}, words)];
    }

    draw() {
        const classes = this.classes();
        const groups = GROUPS.map((group) => [group, ACTIONS.filter((action) => action.group === group)]);
        this.dialog.replaceChildren(
            h("h2", { id: "keys-title" }, "Keys"),
            h("p", { class: "muted" }, "Choose a key to move it. Your keys are kept with your account."),
            h("p", { role: "status", id: "keys-said", class: "message" }, this.said),
            h("div", { class: "key-groups" },
                h("section", {}, h("h3", {}, "Classes"), h("dl", {}, classes.flatMap(({ key, name }) =>
                    [h("dt", {}, h("kbd", {}, key)), h("dd", {}, `label it ${name}; a change asks for a reason`)]))),
                groups.map(([group, actions]) => h("section", {}, h("h3", {}, group), h("dl", {}, actions.flatMap((action) => this.line(action)))))),
            h("form", { method: "dialog", class: "row" }, h("button", { class: "primary" }, "Close"),
                h("button", { type: "button", id: "keys-reset", disabled: !Object.keys(this.keymap.own).length, onclick: () => this.move({}, "All keys are as they came.") }, "All keys as they came")));
    }
}
