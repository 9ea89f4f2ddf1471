var result = 0;
setTimeout(function next() {
	if (++result < n) setTimeout(next, 1);
}, 1);
