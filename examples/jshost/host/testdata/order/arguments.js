// A callback that is no function is an error at once.
for (const set of [setTimeout, setInterval, setImmediate, queueMicrotask]) {
	for (const bad of [undefined, null, 'console.log(1)', 1, {}]) {
		try {
			set(bad, 1);
			console.log('should have thrown');
		} catch (e) {
			console.log(set.name, e.name, e instanceof TypeError, e.message.startsWith('The "callback" argument must be of type function. Received '));
		}
	}
}
const t = setTimeout(function (...args) {
	console.log(args.length, args.join(), this === t);
	const i = setImmediate(function (...args) {
		console.log(args.length, args.join(), this === i);
	}, null, 'b');
}, 1, 'a', undefined, 3);
console.log(typeof +t, isNaN(+t));
