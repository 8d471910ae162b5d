// What node does in other threads and processes; prints the same each time.
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { promisify } = require('util');
const childProcess = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const zlib = require('zlib');

const digest = (data) => crypto.createHash('sha256').update(data).digest('hex').slice(0, 16);

async function hashes() {
    const pbkdf2 = promisify(crypto.pbkdf2);
    const keys = await Promise.all([...Array(40).keys()].map((i) => pbkdf2('secret', `salt${i}`, 3000, 32, 'sha256')));
    return digest(Buffer.concat(keys));
}

async function files() {
    const names = [...Array(200).keys()].map((i) => `file${i}`);
    await Promise.all(names.map((name) => fs.promises.writeFile(name, name.repeat(500))));
    const texts = await Promise.all(names.map((name) => fs.promises.readFile(name)));
    const small = await promisify(zlib.gzip)(Buffer.concat(texts));
    const large = await promisify(zlib.gunzip)(small);
    return digest(large);
}

async function workers() {
    const shared = new Int32Array(new SharedArrayBuffer(8));
    const answers = await Promise.all([1, 2, 3, 4].map((id) => new Promise((resolve, reject) => {
        const worker = new Worker(__filename, { workerData: { id, shared } });
        worker.on('message', resolve);
        worker.on('error', reject);
    })));
    const failed = await new Promise((resolve) => {
        new Worker('throw new Error("thrown in a worker")', { eval: true }).on('error', (e) => resolve(e.message));
    });
    const stopped = new Worker('setInterval(() => {}, 1000)', { eval: true });
    await new Promise((resolve) => stopped.on('online', resolve));
    return `${answers.join(' ')}, counted ${shared[0]}, ${failed}, terminated with ${await stopped.terminate()}`;
}

function work({ id, shared }) {
    for (let i = 0; i < 50000; i++)
        Atomics.add(shared, 0, 1);
    Atomics.wait(shared, 1, 0, 20); // a futex with a deadline
    parentPort.postMessage(id * id);
}

async function children() {
    const exec = promisify(childProcess.execFile);
    const outputs = await Promise.all([1, 2, 3].map((i) => exec('/bin/sh', ['-c', `echo child ${i}; exit 0`])));
    const status = childProcess.spawnSync('/bin/sh', ['-c', 'kill -TERM $$']).signal;
    const forked = await new Promise((resolve) => {
        const child = childProcess.fork(__filename, ['echo']);
        child.on('message', resolve);
        child.send('over a pipe');
    });
    return `${outputs.map((o) => o.stdout.trim()).join(', ')}, ${status}, ${forked}`;
}

async function serve() {
    const server = http.createServer((request, response) => response.end(`you asked for ${request.url}`));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
    const get = (i) => new Promise((resolve, reject) => {
        http.get({ agent, port: server.address().port, host: '127.0.0.1', path: `/${i}` }, (response) => {
            let text = '';
            response.on('data', (chunk) => { text += chunk; });
            response.on('end', () => resolve(text));
        }).on('error', reject);
    });
    const texts = await Promise.all([...Array(3000).keys()].map(get));
    agent.destroy();
    server.close();
    return digest(texts.join());
}

async function main() {
    for (const part of [hashes, files, workers, children, serve])
        console.log(`${part.name}: ${await part()}`);
    process.exitCode = 3;
}

if (process.argv[2] === 'echo') {
    process.once('message', (text) => process.send(text, () => process.exit()));
} else if (isMainThread) {
    main();
} else {
    work(workerData);
}
