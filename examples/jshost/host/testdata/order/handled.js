// A rejection that gets its handler before the microtasks are done is handled.
const late = Promise.reject(new Error('late'));
queueMicrotask(() => late.catch((e) => console.log('caught', e.message)));
(async () => {
	try {
		await Promise.reject(new Error('awaited'));
	} catch (e) {
		console.log('caught', e.message);
	} finally {
		console.log('finally');
	}
})();
Promise.allSettled([Promise.reject(1), Promise.resolve(2)]).then((all) => console.log(JSON.stringify(all)));
Promise.race([new Promise(() => {}), Promise.reject('race')]).catch(console.log);
new Promise((_, reject) => setTimeout(reject, 5, 'timer')).catch(console.log);
