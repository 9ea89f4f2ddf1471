// Clearing: the running timer, one that is due in the same moment, twice, by number, by the other's function, and junk.
const a = setTimeout(() => {
	console.log('a');
	clearTimeout(a);
	clearTimeout(b);
	clearTimeout(a);
}, 10);
const b = setTimeout(() => console.log('b should not run'), 10);
let ticks = 0;
const interval = setInterval(() => {
	console.log('tick', ++ticks);
	if (ticks === 3) clearTimeout(interval);
}, 20);
const c = setTimeout(() => console.log('c should not run'), 30);
clearInterval(c);
const d = setTimeout(() => console.log('d should not run'), 30);
clearTimeout(+d);
const e = setTimeout(() => console.log('e should not run'), 30);
clearTimeout(`${+e}`);
for (const junk of [undefined, null, 0, -1, 123456789, 'x', NaN, {}, [], () => 0, Symbol.iterator, true, 1.5, 10n]) clearTimeout(junk);
clearTimeout();
