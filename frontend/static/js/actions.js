/** Everything that the review page can be told by a key: one table. Class digits come from the site's classes. */

/** What belongs together in the list of keys, in its order. */
export const GROUPS = ["Deciding", "Saying more", "Going on", "Relevance and maps", "Time and stations", "Around the event", "Boundaries", "Help"];

/** { id, key, group, words }: `key` as `keyName` writes it, until the user moves it; `id` is what a keymap names. */
export const ACTIONS = [
    { id: "confirm", key: "Enter", group: "Deciding", words: "confirm the label; with a box open: record what it says", fixed: true },
    { id: "close", key: "Escape", group: "Deciding", words: "close what is open, and change nothing", fixed: true },
    { id: "unsure", key: "u", group: "Deciding", words: "cannot tell: the label stays, another expert is asked" },
    { id: "postpone", key: "x", group: "Deciding", words: "later: choose when the event comes again" },
    { id: "undo", key: "ctrl+z", group: "Deciding", words: "take back your last decision, and look at that event again" },

    { id: "confidence", key: "h", group: "Saying more", words: "how sure you are: certain, likely, guess" },
    { id: "comment", key: "m", group: "Saying more", words: "write a comment that goes with the decision" },
    { id: "verdict", key: "y", group: "Saying more", words: "the machine’s reason: right, right for the wrong reason, wrong" },
    { id: "box", key: "j", group: "Saying more", words: "draw a box round what misleads; pressed twice: the part you have zoomed into" },

    { id: "next", key: "n", group: "Going on", words: "next event, without deciding: this one comes again in ten minutes" },
    { id: "previous", key: "p", group: "Going on", words: "events of this sitting, newest first" },
    { id: "history", key: "i", group: "Going on", words: "what was decided on this event before" },

    { id: "map-next", key: "r", group: "Relevance and maps", words: "next relevance map" },
    { id: "map-predicted", key: "a", group: "Relevance and maps", words: "map for the predicted class" },
    { id: "map-label", key: "s", group: "Relevance and maps", words: "map for the class it is held against" },
    { id: "map-difference", key: "d", group: "Relevance and maps", words: "map of the difference: why the one and not the other" },
    { id: "overlay", key: "o", group: "Relevance and maps", words: "relevance over the STFT and behind the waveform" },
    { id: "same-scale", key: "e", group: "Relevance and maps", words: "one colour scale for all relevance maps, or one for each" },
    { id: "decibels", key: "b", group: "Relevance and maps", words: "colours of the STFT linear or in dB; its numbers stay the network’s input" },

    { id: "zoom-in", key: "ArrowUp", group: "Time and stations", words: "zoom in on the cursor’s time" },
    { id: "zoom-out", key: "ArrowDown", group: "Time and stations", words: "zoom out" },
    { id: "pan-left", key: "ArrowLeft", group: "Time and stations", words: "earlier" },
    { id: "pan-right", key: "ArrowRight", group: "Time and stations", words: "later" },
    { id: "whole", key: "0", group: "Time and stations", words: "the whole window, as a double click does" },
    { id: "cursor-left", key: ",", group: "Time and stations", words: "cursor one step earlier" },
    { id: "cursor-right", key: ".", group: "Time and stations", words: "cursor one step later" },
    { id: "station", key: "t", group: "Time and stations", words: "next station of the event" },

    { id: "wider", key: "w", group: "Around the event", words: "surroundings: 1, 5, 15 minutes before and after, off" },
    { id: "narrower", key: "shift+w", group: "Around the event", words: "surroundings: back a step" },
    { id: "filter", key: "f", group: "Around the event", words: "surroundings filtered, or as recorded" },
    { id: "filter-next", key: "shift+f", group: "Around the event", words: "next pass band" },
    { id: "gain-up", key: "g", group: "Around the event", words: "larger amplitudes" },
    { id: "gain-down", key: "shift+g", group: "Around the event", words: "smaller amplitudes" },
    { id: "spectrogram", key: "v", group: "Around the event", words: "spectrogram of the surroundings: next setting" },
    { id: "section", key: "c", group: "Around the event", words: "all stations of the site as a record section" },
    { id: "listen", key: "Space", group: "Around the event", words: "listen to it, or stop" },
    { id: "speed", key: "shift+Space", group: "Around the event", words: "listen at the next speed" },
    { id: "similar", key: "k", group: "Around the event", words: "the most similar labelled events" },

    { id: "span-start", key: "[", group: "Boundaries", words: "the event begins at the cursor; Enter saves" },
    { id: "span-end", key: "]", group: "Boundaries", words: "the event ends at the cursor; Enter saves" },

    { id: "keys", key: "?", group: "Help", words: "this list; keys can be moved here" },
];

/** Which module of the page does an action of "Around the event"; each is loaded when it is first asked for. */
export const AROUND = {
    surroundings: ["wider", "narrower", "filter", "filter-next", "gain-up", "gain-down", "spectrogram"],
    section: ["section"],
    listen: ["listen", "speed"],
    similar: ["similar"],
};
