// An immediate that is set by an immediate is for the next round; one that is cleared is not called.
let cleared;
setImmediate(() => {
	console.log('1');
	setImmediate(() => console.log('3'));
	cleared = setImmediate(() => console.log('should not run'));
	clearImmediate(doomed);
	clearImmediate(undefined);
});
setImmediate(() => { console.log('2'); clearImmediate(cleared); });
const doomed = setImmediate(() => console.log('should not run either'));
