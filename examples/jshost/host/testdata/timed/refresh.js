// refresh starts a timer over, also one that is over, but not one that was cleared.
let calls = 0;
const again = setTimeout(() => {
	console.log('called', ++calls);
	if (calls < 3) again.refresh();
}, 20);
const pushed = setTimeout(() => console.log('pushed'), 100);
setTimeout(() => { console.log('pushing'); pushed.refresh(); }, 90);
setTimeout(() => console.log('before the pushed one'), 130);
const gone = setTimeout(() => console.log('should not run'), 20);
gone.close();
gone.refresh();
