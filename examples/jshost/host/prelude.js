// The parts that are shorter in JavaScript than in Go. Go calls this once, with its own parts.
(function (native) {
	'use strict';

	// If a promise's handler is a Go function that calls JavaScript, goja runs the microtasks behind
	// it before it has returned. Inside a JavaScript function goja does not.
	for (const [name, print] of Object.entries(console)) {
		console[name] = (...values) => print(...values);
	}

	const settled = Promise.resolve();
	const then = Promise.prototype.then;

	function queueMicrotask(callback) {
		if (typeof callback !== 'function') {
			throw new TypeError(`The "callback" argument must be of type function. Received ${String(callback)}`);
		}
		then.call(settled, () => {
			try {
				callback();
			} catch (error) {
				native.report(error);
			}
		});
	}

	function sleep(ms) {
		return new Promise((resolve) => setTimeout(resolve, ms));
	}

	class AbortSignal {
		aborted = false;
		reason = undefined;
		onabort = null;
		#listeners = new Set();

		addEventListener(type, listener) {
			if (type === 'abort') this.#listeners.add(listener);
		}

		removeEventListener(type, listener) {
			if (type === 'abort') this.#listeners.delete(listener);
		}

		throwIfAborted() {
			if (this.aborted) throw this.reason;
		}

		// If a listener throws, the others are still called.
		static abort(signal, reason) {
			if (signal.aborted) return;
			signal.aborted = true;
			signal.reason = reason;
			const listeners = [...signal.#listeners];
			if (typeof signal.onabort === 'function') listeners.push(signal.onabort);
			signal.#listeners.clear();
			for (const listener of listeners) {
				try {
					listener.call(signal, {type: 'abort', target: signal});
				} catch (error) {
					native.report(error);
				}
			}
		}
	}
	const abort = AbortSignal.abort;
	delete AbortSignal.abort; // only a controller aborts

	class AbortController {
		signal = new AbortSignal();

		abort(reason = Object.assign(new Error('This operation was aborted'), {name: 'AbortError'})) {
			abort(this.signal, reason);
		}
	}

	class Headers {
		#values;

		constructor(values) {
			this.#values = new Map(Object.entries(values));
		}

		get(name) {
			return this.#values.get(String(name).toLowerCase()) ?? null;
		}

		[Symbol.iterator]() {
			return this.#values.entries();
		}
	}

	class Response {
		#body;

		constructor({url, status, statusText, headers, body}) {
			Object.assign(this, {url, status, statusText, ok: status >= 200 && status < 300});
			this.headers = new Headers(headers);
			this.#body = body;
		}

		async text() {
			return this.#body;
		}

		async json() {
			return JSON.parse(this.#body);
		}
	}

	async function fetch(url, {method = 'GET', headers = {}, body = '', signal} = {}) {
		if (typeof body !== 'string') throw new TypeError('fetch: the body must be a string');
		signal?.throwIfAborted();
		const {answer, cancel} = native.request(String(method), String(url), {...headers}, body);
		signal?.addEventListener('abort', cancel);
		try {
			return new Response(await answer);
		} catch (error) {
			signal?.throwIfAborted(); // prefer its reason
			throw error;
		} finally {
			signal?.removeEventListener('abort', cancel);
		}
	}

	Object.assign(globalThis, {queueMicrotask, sleep, fetch, AbortController, AbortSignal, Headers, Response});
})
