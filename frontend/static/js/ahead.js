/** Draws what is likely to be shown next out of sight, so that it is there at once. */

const TOLD = ["id", "role", "aria-label", "aria-hidden"];

export class Ahead {
    /** Two elements of one size in one place: one is seen, the other is not. */
    constructor(shown, hidden) {
        Object.assign(this, { shown, hidden, wanted: null, drawn: null });
    }

    /** Draws into the hidden element; `key` says what. A newer call makes an older one worthless. */
    async prepare(key, drawInto) {
        Object.assign(this, { wanted: key, drawn: null });
        await drawInto(this.hidden);
        if (this.wanted === key) this.drawn = key;
    }

    /** Shows what was drawn for `key`; false where nothing was. */
    take(key) {
        if (this.drawn === null || this.drawn !== key) return false;
        const { shown, hidden } = this;
        for (const name of TOLD) exchange(name, shown, hidden);
        shown.classList.add("ahead");
        hidden.classList.remove("ahead");
        Object.assign(this, { shown: hidden, hidden: shown, wanted: null, drawn: null });
        return true;
    }
}

function exchange(name, one, other) {
    const [first, second] = [one.getAttribute(name), other.getAttribute(name)];
    set(one, name, second);
    set(other, name, first);
}

function set(element, name, value) {
    if (value === null) element.removeAttribute(name);
    else element.setAttribute(name, value);
}
