/** Keys: how they are named, which one means what, and when they rest. */

const MODIFIERS = new Set(["Control", "Shift", "Alt", "AltGraph", "Meta", "CapsLock", "Dead", "Process", "Unidentified"]);
const SAID = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc" };

/** Where somebody types or chooses, keys belong to that field. */
export function isTyping(target) {
    return target instanceof Element && Boolean(target.closest("input, textarea, select, [contenteditable]"));
}

/** Enter and Space press the control that has the focus, and nothing else. */
function pressesAControl(event) {
    const onControl = event.target instanceof Element && event.target.closest("button, a, summary");
    return onControl && (event.key === "Enter" || event.key === " ");
}

/**
 * A key press as text: "f", "shift+f", "ctrl+z", "Space", "ArrowLeft", "?"; null for a modifier alone.
 * Signs carry no shift: where they lie differs between keyboards. Cmd counts as ctrl.
 */
export function keyName({ key, ctrlKey, metaKey, shiftKey, altKey }) {
    if (MODIFIERS.has(key)) return null;
    const letter = key.length === 1 ? key.toLowerCase() : key;
    const name = letter === " " ? "Space" : letter;
    const isSign = key.length === 1 && key.toLowerCase() === key.toUpperCase() && key !== " ";
    // AltGr makes signs such as [ on some keyboards: then neither alt nor ctrl is meant.
    const isAltGr = isSign && altKey && ctrlKey;
    return [(ctrlKey || metaKey) && !isAltGr && "ctrl", altKey && !isSign && "alt", shiftKey && !isSign && "shift", name].filter(Boolean).join("+");
}

/** A key's name as the page shows it: "Ctrl+Z", "←". */
export function keyWords(name) {
    return name.split(/(?<=.)\+/).map((part) => SAID[part] ?? part[0].toUpperCase() + part.slice(1)).join("+");
}

/** {action: key} of all `actions`, with a user's own keys in their place. */
export function resolved(actions, own = {}) {
    return Object.fromEntries(actions.map(({ id, key, fixed }) => [id, (!fixed && own[id]) || key]));
}

/**
 * Why `key` cannot be given to `action`, in words; "" where it can. `keys` is {action: key} as it stands; `reserved`
 * is {key: what it does}: class digits, which a site gives out.
 */
export function clash(action, key, { actions, keys, reserved }) {
    if (key in reserved) return `${keyWords(key)} is taken: ${reserved[key]}.`;
    if (["Enter", "Escape", "Tab"].includes(key)) return `${keyWords(key)} stays what it is: it confirms, closes, or moves the focus.`;
    if (/^[0-9]$/.test(key) && key !== "0") return `${key} is kept for classes.`;
    const other = actions.find(({ id }) => id !== action && keys[id] === key);
    return other ? `${keyWords(key)} is taken: ${other.words}. Move that one first.` : "";
}

/** The action bound to a key press, or undefined. `bindings` maps a key's name to an action. */
export function boundAction(event, bindings) {
    if (isTyping(event.target) || pressesAControl(event)) return undefined;
    // Held down, only moving goes on.
    if (event.repeat && !/^(Arrow|[,.]$)/.test(event.key)) return undefined;
    return bindings[keyName(event)];
}

/** Calls what `bindings()` gives for each key press, with the event. */
export function listen(bindings) {
    document.addEventListener("keydown", (event) => {
        const action = boundAction(event, bindings());
        if (!action) return;
        event.preventDefault();
        action(event);
    });
}
