// An interval waits anew after its callback, behind what that has set.
let n = 0;
const t = setInterval(() => {
	console.log('tick', ++n);
	setTimeout(() => console.log('timeout', n), 5);
	if (n === 3) clearInterval(t);
}, 5);
