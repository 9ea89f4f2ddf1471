// Timers run in the order of their due times, and those of one moment in the order they were set.
setTimeout(() => console.log('60'), 60);
setTimeout(() => console.log('20'), 20);
setTimeout(() => console.log('40, first'), 40);
setTimeout(() => console.log('40, second'), '40');
setTimeout(() => console.log('40, third'), 40.9);
setTimeout(() => console.log('1, by being 0'), 0);
setTimeout(() => console.log('1, by being negative'), -100);
setTimeout(() => console.log('1, by being nothing'));
setTimeout(() => console.log('1, by being no number'), 'soon');
setTimeout(() => console.log('1, by being NaN'), {valueOf: () => NaN});
