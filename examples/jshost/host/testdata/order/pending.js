// A promise that nobody will settle keeps nothing going.
(async () => {
	console.log('waits');
	await new Promise(() => {});
	console.log('should not run');
})();
