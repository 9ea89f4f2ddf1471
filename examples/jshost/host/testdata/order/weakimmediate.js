// An immediate that was unref'ed keeps nothing going.
const i = setImmediate(() => console.log('should not run'));
console.log(i.hasRef(), i.unref() === i, i.hasRef());
