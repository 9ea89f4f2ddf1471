// What was unref'ed runs only while something else keeps the program going.
const never = setInterval(() => console.log('should not run'), 100000);
console.log(never.hasRef(), never.unref() === never, never.hasRef());
setTimeout(() => console.log('weak, in time'), 10).unref();
setTimeout(() => console.log('strong'), 40);
setTimeout(() => console.log('weak, too late: should not run'), 100000).unref();
const back = setTimeout(() => console.log('ref again'), 60).unref();
console.log(back.hasRef(), back.ref() === back, back.hasRef());
