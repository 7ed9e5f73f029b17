/** Builds elements. Text goes in as text, never as markup, so that no name can run as code. */

/** h("p", { class: "note" }, "text", otherNode). Attributes that are null or false are left out. */
export function h(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (value === null || value === undefined || value === false) continue;
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
        else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return element;
}

/** A class as a coloured square with its name: colour never stands alone. */
export function chip({ name, colour }) {
    return h("span", { class: "chip", style: { "--class": colour } }, name);
}

/** 2026-03-01T06:00:00.000000Z as <time>, shown to the millisecond, exact for machines and on hovering. */
export function utc(text) {
    return h("time", { datetime: text, title: text }, text.replace(/(\.\d{3})\d*Z$/, "$1Z"));
}
