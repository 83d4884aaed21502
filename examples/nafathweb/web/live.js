// Shows each state that the server sends. Nothing is kept: a state is whole, and
// what is on the page goes with the page.
'use strict';
const at = (id) => document.getElementById(id);
let source;
let ends = Date.now() + 1000 * at('countdown').dataset.left;

const tick = () => {
  const left = Math.max(0, Math.round((ends - Date.now()) / 1000));
  at('countdown').textContent = Math.floor(left / 60) + ':' + String(left % 60).padStart(2, '0');
};
setInterval(tick, 1000);

const show = (event) => {
  const state = JSON.parse(event.data);
  const done = state.stage === 'done';
  at('status').textContent = state.status;
  at('status').className = done ? (state.good ? 'good' : 'bad') : '';
  at('queue').textContent = state.queue;
  at('queue').hidden = !state.queue;
  at('leave').hidden = !state.leave;
  at('code').textContent = state.code;
  at('open').hidden = !state.code;
  ends = Date.now() + 1000 * state.left;
  tick();
  at('result').textContent = state.result;
  at('person').textContent = state.person;
  at('over').hidden = !done;
  at('again').hidden = state.good;
  at('retry').textContent = state.good ? at('retry').dataset.leave : at('retry').dataset.retry;
  if (done) {
    source.close();
    at('status').focus();
  }
};

// A browser asks again by itself after a lost connection, but not after a refusal.
const listen = () => {
  source = new EventSource(at('verification').dataset.events);
  source.onmessage = show;
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  };
};
listen();
