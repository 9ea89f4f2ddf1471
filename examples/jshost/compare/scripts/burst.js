var result = 0;
for (let i = 0; i < n; i++) setTimeout(() => result++, 1 + i % 10);
