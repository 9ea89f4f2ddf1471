var result = 0;
(async () => {
	while (result < n) {
		await null;
		result++;
	}
})();
