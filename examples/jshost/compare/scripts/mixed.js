var result = 0;
const hold = setInterval(() => {}, 1000000); // goja_nodejs does not wait for goroutines
async function client() {
	for (let i = 0; i < n / 100; i++) {
		const deadline = setTimeout(() => { throw new Error('late'); }, 60000);
		await new Promise((resolve) => setTimeout(resolve, 1));
		await work(i);
		await new Promise((resolve) => setImmediate(resolve));
		clearTimeout(deadline);
		result++;
	}
}
Promise.all(Array.from({length: 100}, client)).then(() => clearInterval(hold));
