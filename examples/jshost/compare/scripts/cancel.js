var result = 0;
for (let i = 0; i < n; i++) {
	clearTimeout(setTimeout(() => { result = NaN; }, 10000));
	result++;
}
