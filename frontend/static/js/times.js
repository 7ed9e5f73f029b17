/** Whether the catalogue's time line is open is remembered, so that the table comes first for whoever wants that. */
const KEY = "times";
const box = document.getElementById("times");

box.open = localStorage.getItem(KEY) !== "closed";
box.addEventListener("toggle", () => localStorage.setItem(KEY, box.open ? "open" : "closed"));
