/** Speaks to /api/v1/. A refusal becomes an ApiError that carries the API's own words. */

export class ApiError extends Error {
    constructor(status, body = {}) {
        const { detail, code, fields } = body;
        const extra = Object.entries(fields ?? {}).map(([name, texts]) => `${name}: ${[texts].flat().join(" ")}`);
        super([detail ?? `The server answered ${status}.`, ...extra].join(" "));
        this.status = status;
        this.code = code ?? "";
        this.body = body;
    }
}

function csrfToken() {
    return document.querySelector("meta[name=csrf-token]").content;
}

async function answer(promise) {
    let response;
    try {
        response = await promise;
    } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new ApiError(0, { detail: "The server cannot be reached. Nothing was recorded; try again.", code: "offline" });
    }
    if (response.ok) return response;
    throw new ApiError(response.status, await response.json().catch(() => ({})));
}

async function json(response) {
    return response.status === 204 ? null : response.json();
}

/** `signal` of an AbortController takes the question back; its error is passed on as it is. */
export async function get(url, { signal } = {}) {
    return json(await answer(fetch(url, { headers: { Accept: "application/json" }, signal })));
}

export async function getBytes(url, { signal } = {}) {
    return (await answer(fetch(url, { signal }))).arrayBuffer();
}

function send(method, url, body, keepalive = false) {
    const headers = { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": csrfToken() };
    return answer(fetch(url, { method, headers, body: JSON.stringify(body), keepalive })).then(json);
}

/** `keepalive` lets the request outlive the page that sends it. */
export function post(url, body = {}, { keepalive = false } = {}) {
    return send("POST", url, body, keepalive);
}

/** Puts `body` in the place of what is there. */
export function put(url, body) {
    return send("PUT", url, body);
}

/** Removes what is at the address. */
export function remove(url) {
    return send("DELETE", url, {});
}
