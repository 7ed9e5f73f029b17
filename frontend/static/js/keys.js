/** Keys: which one means what, and when they rest. */

/** Where somebody types or chooses, keys belong to that field. */
export function isTyping(target) {
    return target instanceof Element && Boolean(target.closest("input, textarea, select, [contenteditable]"));
}

/** Enter and Space press the control that has the focus, and nothing else. */
function pressesAControl(event) {
    const onControl = event.target instanceof Element && event.target.closest("button, a, summary");
    return onControl && (event.key === "Enter" || event.key === " ");
}

/** The action bound to a key press, or undefined. `bindings` maps a key ("1", "r", "Enter", "?") to an action. */
export function boundAction(event, bindings) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return undefined;
    if (isTyping(event.target) || pressesAControl(event)) return undefined;
    return bindings[event.key.length === 1 ? event.key.toLowerCase() : event.key];
}

/** Calls what `bindings()` gives for each key press. */
export function listen(bindings) {
    document.addEventListener("keydown", (event) => {
        const action = boundAction(event, bindings());
        if (!action) return;
        event.preventDefault();
        action();
    });
}
