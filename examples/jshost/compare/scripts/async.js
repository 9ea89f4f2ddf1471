var result = 0;
const hold = setInterval(() => {}, 1000000); // goja_nodejs does not wait for goroutines
async function worker() {
	for (let i = 0; i < n / 100; i++) {
		await work(i);
		result++;
	}
}
Promise.all(Array.from({length: 100}, worker)).then(() => clearInterval(hold));
