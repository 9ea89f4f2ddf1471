// From a callback, an immediate comes before any timer, however short, and after what is due already.
setTimeout(() => {
	console.log('timeout');
	setTimeout(() => console.log('inner timeout'), 0);
	setImmediate((...args) => {
		console.log('immediate', ...args);
		setImmediate(() => console.log('inner immediate'));
		Promise.resolve().then(() => console.log('promise of the immediate'));
	}, 1, 'two');
	setImmediate(() => console.log('second immediate'));
	const until = Date.now() + 20; // the inner timeout is due by now, and comes after all the same
	while (Date.now() < until);
}, 5);
