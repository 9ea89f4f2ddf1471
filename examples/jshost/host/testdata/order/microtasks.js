// Microtasks run before every other callback, and between any two.
console.log('script');
setTimeout(() => {
	console.log('timeout');
	setTimeout(() => {
		console.log('timeout 1');
		Promise.resolve().then(() => console.log('promise of timeout 1'));
		queueMicrotask(() => console.log('microtask of timeout 1'));
	}, 5);
	setTimeout(() => console.log('timeout 2'), 5);
	setImmediate(() => {
		console.log('immediate 1');
		Promise.resolve().then(() => console.log('promise of immediate 1'));
	});
	setImmediate(() => console.log('immediate 2'));
	queueMicrotask(() => console.log('microtask of timeout'));
});
queueMicrotask(() => {
	console.log('microtask 1');
	queueMicrotask(() => console.log('microtask of microtask 1'));
});
Promise.resolve().then(() => console.log('promise 1')).then(() => console.log('promise 1, then'));
queueMicrotask(() => console.log('microtask 2'));
(async () => {
	console.log('async begins');
	await null;
	console.log('async goes on');
})();
console.log('script ends');
