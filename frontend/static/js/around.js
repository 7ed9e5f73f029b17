/**
 * What lies around an event: surroundings, record section, sound, similar events. Each has a <section> of its name and a
 * module of its name, loaded when a key first asks for it, that exports a class, a View:
 *
 *     constructor(element, deps)   the section to fill; deps = { say, trouble, ink, policy, className, seen }
 *     async show(item, station)    draw for this event and station (NET.STA.LOC); called again when either changes;
 *                                  scrolls to itself when it is drawn, if it was put away
 *     hide()                       stop what goes on; hides its section where an action of its own closes it
 *     actions()                    [{ id, run }], ids of ACTIONS
 *
 * A module whose section is hidden is first shown; an action that opens it ("wider", "section", "similar") is done then.
 */
import { AROUND } from "./actions.js";

const LOADERS = {
    surroundings: () => import("./surroundings.js").then((module) => module.Surroundings),
    section: () => import("./section.js").then((module) => module.Section),
    listen: () => import("./listen.js").then((module) => module.Listen),
    similar: () => import("./similar.js").then((module) => module.Similar),
};
const OPENING = ["wider", "section", "similar"];

/** The module that does an action, or undefined. */
export function moduleOf(action) {
    return Object.keys(AROUND).find((name) => AROUND[name].includes(action));
}

export class Around {
    /** `element` holds the sections; `onOpen(isOpen)` is told when the first appears or the last goes. */
    constructor(element, deps, onOpen) {
        Object.assign(this, { element, deps, onOpen, parts: {}, event: null });
        const watch = new MutationObserver(() => this.arrange());
        for (const name of Object.keys(LOADERS)) watch.observe(this.place(name), { attributeFilter: ["hidden"] });
    }

    place(name) {
        return this.element.querySelector(`#${name}`);
    }

    arrange() {
        const isOpen = Object.keys(LOADERS).some((name) => !this.place(name).hidden);
        if (this.element.hidden === !isOpen) return;
        this.element.hidden = !isOpen;
        this.onOpen(isOpen);
    }

    /** Another event, or another station of it: what is open follows. */
    async look(item, station) {
        this.event = { item, station };
        const open = Object.entries(this.parts).filter(([name]) => !this.place(name).hidden);
        await Promise.all(open.map(([name]) => this.draw(name)));
    }

    async draw(name) {
        const { item, station } = this.event;
        try {
            await this.parts[name].show(item, station);
        } catch (error) {
            this.deps.trouble(error.message);
        }
    }

    /** Does what the key of `action` asks for. */
    async run(action) {
        const name = moduleOf(action);
        if (!name || !this.event) return;
        this.parts[name] ??= await this.make(name);
        const place = this.place(name);
        const wasHidden = place.hidden;
        if (wasHidden) {
            place.hidden = false;
            await this.draw(name);
        }
        if (wasHidden && OPENING.includes(action)) return undefined;
        return this.parts[name].actions().find(({ id }) => id === action)?.run();
    }

    async make(name) {
        const Part = await LOADERS[name]();
        return new Part(this.place(name), this.deps);
    }

    /** No event is on the screen: sound stops, everything is put away. */
    rest() {
        this.event = null;
        for (const [name, part] of Object.entries(this.parts)) {
            part.hide();
            this.place(name).hidden = true;
        }
    }
}
