// A handler that is a function of the host does not let the microtasks behind it overtake.
Promise.resolve('first').then(console.log).then(() => console.log('third'));
Promise.resolve('second').then(console.log).then(() => console.log('fourth'));
const print = (s) => queueMicrotask(() => console.log(s));
Promise.resolve('seventh').then(print);
Promise.resolve().then(() => console.log('between'));
queueMicrotask(() => { queueMicrotask(() => console.log('inner 1')); console.log('outer 1'); });
queueMicrotask(() => { queueMicrotask(() => console.log('inner 2')); console.log('outer 2'); });
