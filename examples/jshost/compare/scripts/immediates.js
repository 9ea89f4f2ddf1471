var result = 0;
setImmediate(function next() {
	if (++result < n) setImmediate(next);
});
