// This script shows the features of the host. All of it runs on one goroutine, except the requests.

async function order() {
	setTimeout(() => console.log('4. then timers'), 1);
	setImmediate(() => console.log('3. then immediates, which were asked for in a callback'));
	queueMicrotask(() => console.log('2. then microtasks'));
	console.log('1. first what is running');
	await sleep(20);
}

async function together() {
	const begun = Date.now();
	const answers = await Promise.all(['/a', '/b', '/c'].map(async (path) => (await fetch(origin + path)).json()));
	console.log(answers.map((a) => a.path).join(), 'answered, ms:', Date.now() - begun);
}

async function patience() {
	const controller = new AbortController();
	const timer = setTimeout(() => controller.abort(), 10);
	try {
		await fetch(origin + '/slow', {signal: controller.signal});
	} catch (error) {
		console.log(error.name + ':', error.message);
	} finally {
		clearTimeout(timer);
	}
}

(async () => {
	await order();
	await together();
	await patience();
	let ticks = 0;
	const interval = setInterval(() => {
		console.log('tick', ++ticks);
		if (ticks === 3) clearInterval(interval);
	}, 20);
	setInterval(() => console.log('never: it keeps nothing going'), 60_000).unref();
})();
