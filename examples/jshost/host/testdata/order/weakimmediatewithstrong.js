// An immediate that was unref'ed runs while something else is to come.
setTimeout(() => {
	setTimeout(() => console.log('strong'), 5);
	setImmediate(() => console.log('weak')).unref();
	const i = setImmediate(() => console.log('ref again'));
	i.unref(); i.unref(); i.ref(); i.ref();
	console.log(i.hasRef());
});
