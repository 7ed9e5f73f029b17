/* A classic script in <head>, so that the page is never drawn in the wrong colours first. */
(() => {
    const root = document.documentElement;
    const kept = localStorage.getItem("theme");
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;

    const isDark = () =>
        (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

    function announce(button) {
        button.setAttribute("aria-pressed", String(isDark()));
    }

    addEventListener("DOMContentLoaded", () => {
        const button = document.getElementById("theme");
        if (!button) return;
        announce(button);
        button.addEventListener("click", () => {
            root.dataset.theme = isDark() ? "light" : "dark";
            localStorage.setItem("theme", root.dataset.theme);
            announce(button);
            dispatchEvent(new Event("themechange"));
        });
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
            announce(button);
            dispatchEvent(new Event("themechange"));
        });
    });
})();
