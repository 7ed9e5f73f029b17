/** Times that people write. */

const WRITTEN = /^\s*(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?\s*$/i;

/** ISO 8601 as ms since 1970, NaN where it is none. Without an offset it is UTC, wherever the browser stands. */
export function utcOf(text) {
    const [, day, clock = "00:00", offset = "Z"] = WRITTEN.exec(text ?? "") ?? [];
    return day ? Date.parse(`${day}T${clock}${offset.toUpperCase()}`) : NaN;
}
