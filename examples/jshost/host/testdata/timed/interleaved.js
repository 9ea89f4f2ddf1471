// Two async functions take turns, one step a microtask, and one round a timer.
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function walk(name, ms) {
	for (let i = 1; i <= 3; i++) {
		await sleep(ms);
		console.log(name, i);
		await null;
		console.log(name, i, 'after a microtask');
	}
}
Promise.all([walk('a', 40), walk('b', 100)]).then(() => console.log('both'));
