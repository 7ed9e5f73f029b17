/** Finds points by place: the one under a pointer, those inside a lasso, the next one in a direction. Pure functions. */

const POINTS_A_CELL = 4;
const MOST_CELLS = 256;

/** Cells over the points, each with its rows: so that the nearest is found among a few of 50,000. */
export function gridOf({ count, x, y }) {
    const [left, right] = extent(x), [bottom, top] = extent(y);
    const side = Math.max(1, Math.min(MOST_CELLS, Math.ceil(Math.sqrt(count / POINTS_A_CELL))));
    const width = (right - left) / side || 1, height = (top - bottom) / side || 1;
    const cell = (value, low, step) => Math.max(0, Math.min(side - 1, Math.floor((value - low) / step)));
    const cellOf = (i) => cell(y[i], bottom, height) * side + cell(x[i], left, width);
    const starts = new Uint32Array(side * side + 1);
    for (let i = 0; i < count; i++) starts[cellOf(i) + 1] += 1;
    for (let i = 1; i < starts.length; i++) starts[i] += starts[i - 1];
    const next = starts.slice();
    const rows = new Uint32Array(count);
    for (let i = 0; i < count; i++) rows[next[cellOf(i)]++] = i;
    return { side, starts, rows, column: (value) => cell(value, left, width), line: (value) => cell(value, bottom, height),
        extent: { left, right, bottom, top } };
}

export function extent(values) {
    let low = Infinity, high = -Infinity;
    for (const value of values) {
        if (value < low) low = value;
        if (value > high) high = value;
    }
    return low <= high ? [low, high] : [0, 0];
}

/** The point nearest to (x, y), no further than `reach` (all in the map's units), or −1. `handicap(i)` ≥ 0, or Infinity for a hidden one. */
export function nearest(points, grid, x, y, reach, handicap) {
    let best = -1, least = reach;
    for (let line = grid.line(y - reach); line <= grid.line(y + reach); line++) {
        const first = grid.starts[line * grid.side + grid.column(x - reach)];
        const last = grid.starts[line * grid.side + grid.column(x + reach) + 1];
        for (let k = first; k < last; k++) {
            const i = grid.rows[k];
            const distance = Math.hypot(points.x[i] - x, points.y[i] - y) + handicap(i);
            if (distance < least) [best, least] = [i, distance];
        }
    }
    return best;
}

/** Rows of the shown points inside a polygon [[x, y], …], by the even-odd rule. */
export function inside(points, polygon, isShown) {
    const [left, right] = extent(polygon.map(([x]) => x)), [bottom, top] = extent(polygon.map(([, y]) => y));
    const found = [];
    for (let i = 0; i < points.count; i++) {
        const x = points.x[i], y = points.y[i];
        if (x >= left && x <= right && y >= bottom && y <= top && isShown(i) && isInside(x, y, polygon)) found.push(i);
    }
    return found;
}

function isInside(x, y, polygon) {
    let within = false;
    for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
        const [xi, yi] = polygon[i], [xj, yj] = polygon[j];
        if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) within = !within;
    }
    return within;
}

/** The nearest shown point that lies from `row` towards (dx, dy), within 45° of it; −1 where there is none. */
export function neighbourTowards(points, row, [dx, dy], isShown) {
    let best = -1, least = Infinity;
    for (let i = 0; i < points.count; i++) {
        const x = points.x[i] - points.x[row], y = points.y[i] - points.y[row];
        const along = x * dx + y * dy, across = Math.abs(x * dy - y * dx);
        if (along > 0 && across <= along && along + across < least && isShown(i)) [best, least] = [i, along + across];
    }
    return best;
}
