throw new Error('later');
