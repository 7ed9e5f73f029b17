/** Holds an item for this browser: renewed while the page is open, given back when it closes. */
import { post } from "./api.js";

const ROUTE = "/api/v1/review-items";

/** `leaseS`: how long the server lets an item be held; `onLost(error)`: somebody else may have it now. */
export class Lease {
    constructor(leaseS, onLost) {
        this.held = null;
        this.onLost = onLost;
        setInterval(() => this.renew(), (leaseS / 3) * 1000);
        // A page that sleeps (lid closed) misses its turns; so the first thing after waking is to ask.
        document.addEventListener("visibilitychange", () => document.hidden || this.renew());
        addEventListener("pagehide", () => this.release());
    }

    hold(id) {
        this.held = id;
    }

    async renew() {
        const id = this.held;
        if (id === null) return;
        try {
            await post(`${ROUTE}/${id}/renew/`);
        } catch (error) {
            // Without a connection nothing is known: the next turn tells.
            if (error.status === 0 || this.held !== id) return;
            this.held = null;
            this.onLost(error);
        }
    }

    release() {
        if (this.held === null) return;
        post(`${ROUTE}/${this.held}/release/`, {}, { keepalive: true }).catch(() => {});
        this.held = null;
    }
}
