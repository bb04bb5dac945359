import { testSeeds } from '../equipment/seeds/seed-test.ts';

testSeeds(1001, 1080, { cutBacks: true });
